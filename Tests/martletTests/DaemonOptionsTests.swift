import Config
import Foundation
import HTTP
import PromQL
import Remote
import Scrape
import Storage
import TestSupport
import Testing

@testable import martlet

/// The settings that the flags make, part by part.
@Suite("Options of the daemon")
struct DaemonOptionsTests {
    private func options(_ words: String...) throws -> DaemonOptions {
        try DaemonOptions(try ServerFlags.set.parse(words))
    }

    private func failure(_ words: String...) -> String {
        do {
            _ = try DaemonOptions(try ServerFlags.set.parse(words))
            return ""
        } catch { return "\(error)" }
    }

    @Test("without flags the daemon has Prometheus's settings")
    func standard() throws {
        let options = try options()
        #expect(options.files.configuration == "prometheus.yml" && !options.files.isConfigurationGiven)
        #expect(options.files.alerting == "" && options.files.autoReloadInterval == nil)
        #expect(options.web.givenAddresses == ["0.0.0.0:9090"] && options.web.file == nil)
        #expect(options.web.externalURL == "http://localhost:9090" && options.web.routePrefix == "")
        #expect(!options.web.enablesLifecycle && !options.web.enablesAdmin && !options.web.enablesRemoteWrite)
        #expect(options.web.acceptedMessages == Set(RemoteWriteMessage.allCases))
        #expect(options.web.maxSearchLimit == nil)
        #expect(options.storage.directory == "data/" && options.storage.usesLockFile && !options.storage.usesXOROnly)
        #expect(options.queries.maxConcurrency == 20 && options.queries.timeout == 120_000)
        #expect(options.rules.concurrent == 0 && options.rules.outageTolerance == 3_600_000)
        #expect(options.alertmanagers.drainsOnStop && options.alertmanagers.batchSize == 256)
        #expect(options.timestampTolerance == 2 && options.shutdownGrace == 20_000)
    }

    @Test("each group of flags reaches its part")
    func parts() throws {
        let given = try options(
            "--storage.tsdb.path=d", "--storage.block-codec=xor", "--storage.tsdb.no-lockfile",
            "--storage.wal-sync-interval=always", "--storage.tsdb.min-block-duration=10m",
            "--query.lookback-delta=1m", "--query.max-memory=1GB", "--query.max-memory-per-query=2GB",
            "--no-scrape.adjust-timestamps", "--web.remote-write-receiver.accepted-protobuf-messages",
            "io.prometheus.write.v2.Request", "--enable-feature=type-and-unit-labels,search-api",
            "--web.search.max-limit=7", "--shutdown.grace-period=3s")
        let store = given.store(Configuration())
        #expect(store.directory == "d" && store.usesXOROnly && !store.usesLockFile)
        #expect(store.walSyncInterval == 0 && store.blockDuration == 600_000)
        let engine = given.engine(Configuration(), processors: 0, memory: 5)
        #expect(engine.lookbackDelta == 60_000 && engine.workers == 1)
        let zero = try options("--query.lookback-delta=0").engine(Configuration(), processors: 0, memory: 5)
        #expect(zero.lookbackDelta == 300_000)
        // One query cannot have more than all of them.
        #expect(engine.maxMemoryPerQuery == 1 << 30 && engine.typeAndUnitLabels)
        #expect(given.scrape(Configuration()).timestampTolerance == -1)
        #expect(given.remoteWrite.messages == [RemoteWriteMessage.v2] && given.remoteWrite.typeAndUnitLabels)
        #expect(given.web.maxSearchLimit == 7 && given.shutdownGrace == 3000)
        let standard = try options().engine(Configuration(), processors: 4, memory: 1000)
        #expect(standard.workers == 4 && standard.maxMemoryPerQuery == 500)
    }

    @Test("the files are looked at with the flag or the feature, at most once a second")
    func autoReload() throws {
        for words in ["--config.auto-reload", "--enable-feature=auto-reload-config"] {
            #expect(try options(words).files.autoReloadInterval == 30_000)
            #expect(try options(words, "--config.auto-reload-interval=1ms").files.autoReloadInterval == 1000)
        }
        #expect(try options("--config.auto-reload-interval=5s").files.autoReloadInterval == nil)
    }

    @Test("the configuration's retention wins over the flags")
    func retention() throws {
        var storage = Configuration().storage
        storage.retentionSize = 5
        #expect(try options("--storage.tsdb.retention.time=2d").retention(storage) == (0, 5))
        storage.retentionTime = 7
        #expect(try options().retention(storage) == (7, 5))
    }

    @Test("the web configuration, read once, decides the scheme of the own URL, and is what the server gets")
    func webFile() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/web.yml"
        func file(_ text: String) throws -> WebConfigFile {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return WebConfigFile(path: path)
        }
        func web(_ file: WebConfigFile?, _ words: String...) throws -> WebOptions {
            try DaemonOptions(try ServerFlags.set.parse(words), hostName: "h", webFile: file).web
        }
        let tls = try file("tls_server_config: {cert_file: c, key_file: k}")
        #expect(try web(tls).externalURL == "https://h:9090")
        #expect(try web(tls, "--web.listen-address=:1").externalURL == "https://h:1")
        #expect(try web(tls, "--web.external-url=http://x").externalURL == "http://x")
        #expect(try web(try file("basic_auth_users: {}")).externalURL == "http://h:9090")
        #expect(try web(nil).externalURL == "http://h:9090")
        // What is wrong with the file is reported by the server.
        let broken = try file("nonsense: 1")
        #expect(try web(broken).externalURL == "http://h:9090")
        let error = #expect(throws: StartError.self) {
            try WebSettings.options(try web(broken), clock: ManualClock(), queryMemory: nil)
        }
        #expect(error?.what == "Unable to validate web configuration file" && error?.status == 1)
        #expect(error?.reason.contains("nonsense") == true)
        // A file that changes after it was read is what it was: nobody reads it a second time.
        let users = try file("basic_auth_users: {}")
        try FileManager.default.removeItem(atPath: path)
        #expect(try WebSettings.options(try web(users), clock: ManualClock(), queryMemory: nil).access != nil)
        let flags = try ServerFlags.set.parse(["--web.config.file=" + path])
        #expect(WebOptions.readFile(flags)?.path == path)
        #expect(WebOptions.readFile(try ServerFlags.set.parse([])) == nil)
    }

    @Test("a read timeout of 0 is no limit")
    func readTimeout() throws {
        for (text, seconds) in [("0s", Int.max), ("1ms", 1), ("5m", 300)] {
            let web = try options("--web.read-timeout=" + text).web
            let server = try WebSettings.options(web, clock: ManualClock(), queryMemory: nil)
            #expect(server.timeoutSeconds == seconds, "\(text)")
        }
    }

    @Test("an expression of origins that is none ends the start with 2")
    func origins() throws {
        let web = try options("--web.cors.origin=(").web
        let error = #expect(throws: StartError.self) {
            try WebSettings.options(web, clock: ManualClock(), queryMemory: nil)
        }
        #expect(error?.what == "could not compile CORS regex string" && error?.status == 2)
    }

    @Test(
        "wrong values are refused with what is right",
        arguments: [
            ("--log.level=loud", "unrecognized log level loud: --log.level takes debug, info, warn or error"),
            ("--log.format=xml", "unrecognized log format xml: --log.format takes logfmt or json"),
            (
                "--web.listen-address=foo",
                "--web.listen-address=foo: expected HOST:PORT with a port of 0 to 65535, for instance "
                    + "127.0.0.1:9090 or :9090"
            ),
            (
                "--auto-gomemlimit.ratio=2",
                "--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1"
            ),
            (
                "--web.remote-write-receiver.accepted-protobuf-messages=x",
                "unknown remote write protobuf message x, supported: prometheus.WriteRequest, "
                    + "io.prometheus.write.v2.Request (--web.remote-write-receiver.accepted-protobuf-messages)"
            ),
            ("--query.timeout=5", "invalid value for --query.timeout: not a valid duration string: \"5\""),
            (
                "--storage.block-codec=lz4",
                "invalid value for --storage.block-codec: enum value must be one of auto,xor, got 'lz4'"
            ),
            (
                "--storage.tsdb.retention.size=1",
                "invalid value for --storage.tsdb.retention.size: unknown unit or number in \"1\""
            ),
            ("--web.search.max-limit=-1", "invalid value for --web.search.max-limit: must not be negative"),
        ])
    func texts(word: String, reason: String) {
        #expect(failure(word) == reason)
    }
}
