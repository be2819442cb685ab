import Config
import Platform
import Synchronization
import Telemetry

/// A hash over the files of a configuration: the main file, the built-in notifier's, the files of rules and those of
/// `scrape_config_files`, each with its path and content.
struct ConfigurationSum: Sendable, Equatable {
    private var first: UInt64 = 0xCBF2_9CE4_8422_2325
    private var second: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// Hashes the files that `configuration` names; nil if one cannot be read.
    init?(_ configuration: Configuration, _ options: DaemonOptions) {
        var paths = [options.flags.text("config.file"), options.flags.text("alerting.config.file")].filter {
            !$0.isEmpty
        }
        for pattern in configuration.ruleFiles + configuration.scrapeConfigFiles {
            guard let files = try? FileGlob.expand(pattern) else { return nil }
            paths += files
        }
        self.init(paths: paths)
    }

    /// Hashes files in order; nil if one cannot be read.
    init?(paths: [String]) {
        for path in paths {
            guard let content = try? ConfigFile.read(path) else { return nil }
            add(Array(path.utf8))
            add(content)
        }
    }

    /// Two independent 64-bit hashes, each of the length and the bytes.
    private mutating func add(_ bytes: [UInt8]) {
        func mix(_ byte: UInt64) {
            first = (first ^ byte) &* 0x0000_0100_0000_01B3
            second = (second ^ byte) &* 0xFF51_AFD7_ED55_8CCD
            second ^= second >> 33
        }
        mix(UInt64(bytes.count))
        for byte in bytes { mix(UInt64(byte)) }
    }
}

extension Daemon {
    /// Looks at the configuration's files at an interval and reloads when they have changed; nil if nobody asked.
    func watchFiles() -> Task<Void, Never>? {
        guard let interval = options.autoReloadInterval else { return nil }
        return Task { [self] in
            var failed: ConfigurationSum?
            while !Task.isCancelled {
                do { try await clock.sleep(until: clock.now() + interval) } catch { return }
                let known = failed
                failed = await BlockingCall.run { self.reloadIfChanged(besides: known) }
            }
        }
    }

    /// Reloads if the files differ from those in force and from those that failed last.
    ///
    /// Files that are again those in force are read again after a failure, so that the failure is over.
    ///
    /// - Returns: The sum of files that could not be used; nil if the last reload went well.
    private func reloadIfChanged(besides failed: ConfigurationSum?) -> ConfigurationSum? {
        let (configuration, used, succeeded) = state.withLock { ($0.configuration, $0.sum, $0.reloadSucceeded) }
        guard let sum = ConfigurationSum(configuration, options) else {
            log.warn("A configuration file cannot be read to see whether it has changed")
            return failed
        }
        if sum == failed || sum == used && succeeded { return failed }
        log.info("Configuration file change detected, reloading the configuration.")
        return reload() == nil ? nil : sum
    }
}
