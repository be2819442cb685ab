import Config
import Testing

@testable import martlet

/// Command lines as kingpin and Prometheus read them.
@Suite("Flag parsing")
struct FlagParsingTests {
    private func options(_ words: String...) throws -> DaemonOptions {
        try DaemonOptions(try ServerFlags.set.parse(words))
    }

    private func failure(_ words: String...) -> String {
        do {
            _ = try DaemonOptions(try ServerFlags.set.parse(words))
            return ""
        } catch { return "\(error)" }
    }

    @Test("a flag that is not supported is refused with its reason, unless it is given its default")
    func unsupported() throws {
        for flag in ServerFlags.set.flags {
            guard case .unsupported(let hint) = flag.state else { continue }
            switch flag.kind {
            case .boolean:
                let standard = flag.standard == "true"
                #expect(
                    failure("--\(standard ? "no-" : "")\(flag.name)")
                        == "--\(flag.name) is not supported yet: \(hint)")
                _ = try options("--\(standard ? "" : "no-")\(flag.name)")
            case .integer: #expect(failure("--\(flag.name)=7").contains("is not supported yet"))
            case .duration: #expect(failure("--\(flag.name)=7s").contains("is not supported yet"))
            case .size: #expect(failure("--\(flag.name)=7MB").contains("is not supported yet"))
            default: #expect(failure("--\(flag.name)", "x").contains("is not supported yet"), "--\(flag.name)")
            }
            if let standard = flag.standard, flag.kind != .boolean { _ = try options("--\(flag.name)=\(standard)") }
        }
    }

    @Test(
        "numbers of connections and queries are at least 1",
        arguments: ["query.max-concurrency", "web.max-connections"])
    func counts(_ name: String) throws {
        for value in ["0", "-1"] {
            #expect(failure("--\(name)=\(value)") == "--\(name)=\(value): expected a number of 1 or more")
        }
        _ = try options("--\(name)=1")
    }

    @Test("flags that are ignored are listed with reasons when they are given")
    func ignored() throws {
        let given = try options("--auto-gomemlimit.ratio=0.5", "--storage.remote.read-sample-limit=5e7")
        #expect(given.ignoredFlags.map(\.name) == ["storage.remote.read-sample-limit", "auto-gomemlimit.ratio"])
        #expect(try options().ignoredFlags.isEmpty)
    }

    @Test("integers may be written as floats, booleans take no value")
    func values() throws {
        #expect(try options("--query.max-samples=5e7").queries.maxSamples == 50_000_000)
        #expect(try options("--query.max-samples", "1.9").queries.maxSamples == 1)
        for bad in ["x", "1e30", "nan", "inf", ""] {
            #expect(failure("--query.max-samples=\(bad)").contains("--query.max-samples"), "\(bad)")
        }
        #expect(failure("--web.enable-lifecycle=true").hasPrefix("unexpected true"))
        #expect(failure("--web.enable-lifecycle=false").contains("--no-web.enable-lifecycle"))
        #expect(try !options("--no-web.enable-lifecycle").web.enablesLifecycle)
        #expect(failure("--config.fil=x").contains("did you mean '--config.file'"))
    }

    @Test("log levels are read in any case")
    func levels() throws {
        for level in ["DEBUG", "Info", "wArN", "error"] { _ = try options("--log.level=\(level)") }
        #expect(failure("--log.level=loud").contains("unrecognized log level loud"))
        #expect(failure("--log.format=JSON").contains("unrecognized log format JSON"))
        let shown = try options("--log.level=DEBUG").shownFlags
        #expect(shown.first { $0.name == "log.level" }?.value == "debug")
    }

    @Test("values that make no sense are refused with the flag's name")
    func ranges() {
        for (flag, value) in [
            ("auto-gomemlimit.ratio", "2"), ("auto-gomemlimit.ratio", "0"), ("auto-gomemlimit.ratio", "nan"),
            ("storage.tsdb.wal-compression-type", "foo"), ("storage.block-codec", "lz4"),
            ("web.search.max-limit", "-1"), ("web.listen-address", "foo"), ("web.listen-address", ":99999"),
            ("web.listen-address", "21047"), ("web.listen-address", ":x"),
            ("web.remote-write-receiver.accepted-protobuf-messages", "foo"),
            ("storage.tsdb.retention.size", "1"), ("storage.tsdb.retention.size", "1e3KB"),
            ("query.timeout", "-1s"), ("query.timeout", "5"), ("config.auto-reload-interval", "1.5s"),
        ] {
            #expect(failure("--\(flag)=\(value)").contains(flag), "--\(flag)=\(value)")
        }
    }

    @Test(
        "a flag without its value is an error, and takes no flag for it",
        arguments: [
            (["--web.cors.origin", "--query.timeout=1s"], "expected argument for flag '--web.cors.origin'"),
            (["--enable-feature", "-h"], "expected argument for flag '--enable-feature'"),
            (["--web.external-url"], "expected argument for flag '--web.external-url'"),
            (["--query.max-samples", "-5"], "expected argument for flag '--query.max-samples'"),
            (["--web.external-url", "--"], "expected argument for flag '--web.external-url'"),
        ])
    func missingValues(words: [String], reason: String) {
        let error = #expect(throws: CommandLineError.self) { try ServerFlags.set.parse(words) }
        #expect(error?.description == reason)
    }

    @Test(
        "external URLs are checked as Go does",
        arguments: [
            ("http://x y/", "invalid character \" \" in host name"), ("\"http://x/\"", "quotes"), ("'x'", "quotes"),
            ("::bad::", "missing protocol scheme"), ("http://x:y/", "invalid port \":y\" after host"),
            ("http://[::1/", "missing ']' in host"), ("http://x/%zz", "invalid URL escape \"%zz\""),
            ("http://x/\u{7F}", "invalid control character in URL"), ("http://a<b/", "invalid character"),
            ("127.0.0.1:9090/x", "first path segment in URL cannot contain colon"),
            ("[::1", "first path segment in URL cannot contain colon"),
            ("http://u:p/w@h", "parse \"http://u:xxxxx@h\": invalid port after host"),
        ])
    func badURLs(url: String, reason: String) {
        #expect(failure("--web.external-url=\(url)").contains(reason))
    }

    @Test(
        "the route prefix is the path of the external URL unless it is given",
        arguments: [
            (["--web.external-url=http://x.y/p/q/"], "http://x.y/p/q", "/p/q"),
            (["--web.external-url=http://x.y"], "http://x.y", ""),
            (["--web.external-url=localhost:9090"], "localhost:9090", ""),
            (["--web.external-url=Prom:9090/x?y"], "prom:9090/x", ""),
            (["--web.external-url=HTTP:/x/"], "http:/x", "/x"),
            (["--web.external-url=http://x.y/p x/"], "http://x.y/p%20x", "/p%20x"),
            (["--web.external-url=https://[::1]:8/a?b#c"], "https://[::1]:8/a", "/a"),
            (["--web.external-url=http://x/ä"], "http://x/%C3%A4", "/%C3%A4"),
            (["--web.external-url=http://x/p", "--web.route-prefix=/"], "http://x/p", ""),
            (["--web.external-url=http://x/p", "--web.route-prefix=a/b/"], "http://x/p", "/a/b"),
        ])
    func prefixes(words: [String], url: String, prefix: String) throws {
        let options = try DaemonOptions(try ServerFlags.set.parse(words))
        #expect(options.web.externalURL == url)
        #expect(options.web.routePrefix == prefix)
    }

    @Test("flags are shown as Prometheus prints them")
    func shown() throws {
        let shown = Dictionary(
            uniqueKeysWithValues: try options("--query.max-samples=5e7", "--query.timeout=90s").shownFlags.map {
                ($0.name, $0.value)
            })
        for (name, value) in [
            ("web.route-prefix", "/"), ("storage.tsdb.retention.size", "0B"), ("agent", "false"),
            ("storage.agent.path", "data-agent/"), ("query.max-samples", "50000000"), ("query.timeout", "1m30s"),
            ("storage.tsdb.max-block-chunk-segment-size", "512MiB"), ("web.cors.origin", ".*"),
            ("storage.agent.retention.max-time", "4h"), ("auto-gomemlimit.ratio", "0.9"),
            (
                "web.remote-write-receiver.accepted-protobuf-messages",
                "prometheus.WriteRequest,io.prometheus.write.v2.Request"
            ),
        ] {
            #expect(shown[name] == value, "\(name): \(shown[name] ?? "absent")")
        }
        #expect(shown["version"] == nil && shown["help"] == nil)
    }

    @Test("features: unknown names are kept for a warning, unsupported ones are refused")
    func features() throws {
        let features = try Features(["promql-per-step-stats,bogus", "native-histograms"])
        #expect(features.contains(.perStepStatistics))
        #expect(features.unknown == ["bogus"])
        #expect(features.ignored.map(\.name) == ["native-histograms"])
        for feature in Feature.allCases {
            guard case .unsupported(let hint) = feature.state else { continue }
            #expect(
                failure("--enable-feature=\(feature.rawValue)")
                    == "--enable-feature=\(feature.rawValue) is not supported yet: \(hint)")
        }
        #expect(!failure("--enable-feature=otlp-deltatocumulative,otlp-native-delta-ingestion").isEmpty)
    }

    @Test("a size that is given alone leaves the time of retention without limit")
    func retention() throws {
        #expect(try options().retention(Configuration().storage) == (15 * 86_400_000, 0))
        #expect(try options("--storage.tsdb.retention.size=1GB").retention(Configuration().storage) == (0, 1 << 30))
        #expect(
            try options("--storage.tsdb.retention.size=1GB", "--storage.tsdb.retention.time=2d").retention(
                Configuration().storage)
                == (2 * 86_400_000, 1 << 30))
    }
}
