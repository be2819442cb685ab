import Config

/// A hash of the files of a configuration: the main file, the built-in notifier's, that of heartbeats, the files of rules and those of
/// `scrape_config_files`, each with its path and content.
struct ConfigurationSum: Sendable, Equatable {
    private var first: UInt64 = 0xCBF2_9CE4_8422_2325
    private var second: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// Hashes the files that `configuration` names; nil if one cannot be read.
    init?(_ configuration: Configuration, _ files: DaemonOptions.Files) {
        var paths = [files.configuration, files.alerting, files.heartbeats].filter { !$0.isEmpty }
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
