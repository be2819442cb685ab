import Foundation
import Testing

@testable import martlet

/// The flag table held against the sources: nothing is declared that nobody reads.
@Suite("Flag table")
struct FlagTableTests {
    /// The sources of the binary without the tables.
    private static func readers() throws -> String {
        try SourceText.swift("Sources/martlet", without: ["ServerFlags.swift"])
    }

    @Test("every flag that is declared used is read, and no other")
    func flagsAreRead() throws {
        let text = try Self.readers()
        for flag in ServerFlags.set.flags {
            let isRead = ["text", "all", "boolean", "duration", "size", "integer", "number"].contains {
                text.contains("\($0)(\"\(flag.name)\")")
            }
            switch flag.state {
            case .used: #expect(isRead, "--\(flag.name) is declared used, but no code reads it")
            // Flags that are only checked at the start.
            case .ignored
            where ["auto-gomemlimit.ratio", "storage.tsdb.wal-compression-type", "web.search.max-limit"].contains(
                flag.name):
                break
            case .ignored, .unsupported:
                #expect(!isRead, "--\(flag.name) is read, but not declared used")
            }
        }
    }

    @Test("every name of a flag that the binary reads is in a table")
    func namesExist() throws {
        let known = Set(ServerFlags.set.flags.map(\.name))
        let reads = /\bflags\.(?:text|all|boolean|duration|size|integer|number|isGiven)\("([^"]+)"\)/
        let names = try SourceText.swift("Sources/martlet/Flags").matches(of: reads).map { String($0.1) }
        #expect(names.count > 40)
        for name in names { #expect(known.contains(name), "\(name) is read, but no flag") }
    }

    @Test("only the options read flags; the daemon sees values")
    func onlyOptions() throws {
        #expect(try !SourceText.swift("Sources/martlet/Daemon").contains("flags."))
    }

    @Test("every feature that is declared used is read, and no other")
    func featuresAreRead() throws {
        let text = try SourceText.swift("Sources/martlet", without: ["Features.swift"])
        let own = try SourceText.file("Sources/martlet/Flags/Features.swift")
        for feature in Feature.allCases {
            let name = "contains(.\(feature))"
            if feature.state == .used {
                #expect(text.contains(name), "feature \(feature.rawValue) is declared used, but no code asks for it")
            } else {
                #expect(!text.contains(name), "feature \(feature.rawValue) is asked for, but not declared used")
            }
        }
        #expect(own.contains("case autoReloadConfig"))
    }

    @Test("all flags and features of Prometheus 3.14 are known")
    func complete() {
        let prometheus = """
            config.file config.auto-reload config.auto-reload-interval web.listen-address web.config.file
            web.read-timeout web.max-connections web.max-notifications-subscribers web.external-url web.route-prefix
            web.user-assets web.enable-lifecycle web.enable-admin-api web.enable-remote-write-receiver
            web.remote-write-receiver.accepted-protobuf-messages web.enable-otlp-receiver web.console.templates
            web.console.libraries web.page-title web.cors.origin storage.tsdb.path storage.tsdb.retention.time
            storage.tsdb.retention.size storage.tsdb.no-lockfile storage.tsdb.head-chunks-write-queue-size
            storage.tsdb.delay-compact-file.path storage.tsdb.min-block-duration storage.tsdb.max-block-duration
            storage.tsdb.max-block-chunk-segment-size storage.tsdb.wal-segment-size storage.tsdb.wal-compression
            storage.tsdb.wal-compression-type storage.tsdb.samples-per-chunk storage.tsdb.allow-overlapping-compaction
            storage.tsdb.delayed-compaction.max-percent storage.tsdb.block-reload-interval storage.agent.path
            storage.agent.wal-compression storage.agent.retention.min-time storage.agent.retention.max-time
            storage.agent.checkpoint-from-in-memory-series storage.agent.checkpoint-batch-size
            storage.agent.no-lockfile storage.remote.flush-deadline storage.remote.read-sample-limit
            storage.remote.read-concurrent-limit storage.remote.read-max-bytes-in-frame web.search.max-limit
            rules.alert.for-outage-tolerance rules.alert.for-grace-period rules.alert.resend-delay
            rules.max-concurrent-evals alertmanager.notification-queue-capacity alertmanager.notification-batch-size
            alertmanager.drain-notification-queue-on-shutdown query.lookback-delta query.timeout
            query.max-concurrency query.max-samples scrape.adjust-timestamps scrape.timestamp-tolerance
            scrape.discovery-reload-interval auto-gomaxprocs auto-gomemlimit auto-gomemlimit.ratio
            auto-gomemlimit.refresh-interval agent log.level log.format enable-feature
            """.split(whereSeparator: \.isWhitespace).map(String.init)
        let known = Set(ServerFlags.set.flags.map(\.name))
        for name in prometheus { #expect(known.contains(name), "--\(name)") }
        #expect(Set(known).count == ServerFlags.set.flags.count, "a flag is declared twice")
        #expect(Feature.allCases.filter { $0 != .martletRules }.count == 28)
    }

    @Test("help gives the reason of every flag and feature that is not used, and exits with 0")
    func help() throws {
        let help = ServerFlags.set.help
        for flag in ServerFlags.set.flags {
            #expect(help.contains(flag.name))
            switch flag.state {
            case .used: #expect(!flag.help.hasPrefix("Ignored") && !flag.help.hasPrefix("Not supported"))
            case .ignored(let reason):
                #expect(!reason.isEmpty && help.contains("Ignored: \(reason)."), "--\(flag.name)")
            case .unsupported(let hint):
                #expect(!hint.isEmpty && help.contains("Not supported yet: \(hint)."), "--\(flag.name)")
            }
        }
        for feature in Feature.allCases { #expect(help.contains(feature.help)) }
        for words in [
            ["--help"], ["-h"], ["help"], ["serve", "--help"], ["--help-long"], ["check", "--help"],
            ["check", "config", "-h"], ["query", "--help"], ["tsdb", "--help"], ["test", "--help"],
            ["query", "instant", "--help"], ["tsdb", "list", "--help"], ["test", "rules", "--help"], ["version"],
            ["--version"],
        ] {
            #expect(Command.run(words) == 0, "martlet \(words.joined(separator: " "))")
        }
    }
}
