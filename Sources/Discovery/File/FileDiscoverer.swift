import Config
import Glibc
import GoCompatibility
import Model
import Platform
import Synchronization
import Telemetry

/// Reads target groups from JSON and YAML files.
///
/// A file that cannot be read or understood keeps the groups of its last good version and is reported.
package final class FileDiscoverer: Sendable {
    private struct State {
        var versions: [ExactText: FileStamp] = [:]
        var groups: [ExactText: [TargetGroup]] = [:]
        var errors: [ExactText: String] = [:]
    }

    /// Milliseconds after which to refresh even if nothing seems to have changed.
    package let refreshInterval: Int64
    private let patterns: [String]
    private let state = Mutex(State())
    private let readErrors: Counter
    private let scans: SummaryMetric
    private let metrics: MetricRegistry
    private let clock: any Clock = SystemClock()
    private let log = Log("discovery")

    package init(_ config: FileDiscoveryConfig, metrics: MetricRegistry) {
        patterns = config.files
        refreshInterval = config.refreshInterval
        self.metrics = metrics
        scans = metrics.summary(
            "prometheus_sd_file_scan_duration_seconds", "The duration of the File-SD scan in seconds.")
        readErrors = metrics.counter(
            "prometheus_sd_file_read_errors_total", "The number of File-SD read errors.")
    }

    /// Problems of the last refresh by file.
    package var errors: [ExactText: String] { state.withLock { $0.errors } }

    private func paths() -> [String] {
        var paths: [String] = []
        for pattern in patterns {
            // A plain name is kept even if nothing is there, so that its absence is noticed.
            for path in pattern.contains("*") ? GoGlob.expand(pattern) : [pattern]
            where !paths.contains(where: path.isExactly) { paths.append(path) }
        }
        return paths
    }

    private func currentVersions() -> [ExactText: FileStamp] {
        var versions: [ExactText: FileStamp] = [:]
        for path in paths() {
            if let version = FileStamp(path) { versions[ExactText(path)] = version }
        }
        return versions
    }

    /// Whether ``refresh()`` would find something new, found out without reading.
    package func hasChanged() -> Bool {
        let now = currentVersions()
        return state.withLock { $0.versions != now }
    }

    /// The groups as they are now; those of a file that cannot be read stay as they were.
    package func refresh() -> [TargetGroup] {
        // Versions are taken before reading: a change in between is then noticed by the next look.
        let started = clock.monotonic()
        defer { scans.observe(Double(clock.monotonic() - started) / 1e9) }
        let versions = currentVersions()
        let paths = versions.keys.sorted()
        var read: [(path: ExactText, result: Result<[TargetGroup], ConfigError>)] = []
        for path in paths {
            do throws(ConfigError) {
                read.append((path, .success(try Self.groups(path.text))))
            } catch {
                read.append((path, .failure(error)))
            }
        }
        return state.withLock { state in
            state.versions = versions
            state.errors = [:]
            for path in state.groups.keys where versions[path] == nil { forgetTime(path.text) }
            state.groups = state.groups.filter { versions[$0.key] != nil }
            for (path, result) in read {
                switch result {
                case .success(let groups):
                    state.groups[path] = groups
                    versions[path].map { showTime($0, path.text) }
                case .failure(let error):
                    readErrors.increment()
                    state.errors[path] = "\(error)"
                    log.error("Error reading file", ["path": path.text, "err": "\(error)"])
                }
            }
            return paths.flatMap { state.groups[$0] ?? [] }
        }
    }

    private static let timeName = "prometheus_sd_file_mtime_seconds"

    private func showTime(_ version: FileStamp, _ path: String) {
        metrics.gauge(
            Self.timeName,
            "Timestamp (mtime) of files read by FileSD. Timestamp is set at read time.", ["filename": path]
        ).set(Double(version.seconds) + Double(version.nanoseconds) / 1e9)
    }

    private func forgetTime(_ path: String) { metrics.remove(Self.timeName, ["filename": path]) }

    /// The groups in one file.
    package static func groups(_ path: String) throws(ConfigError) -> [TargetGroup] {
        let bytes = try ConfigFile.read(path)
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return try TargetGroupList.parse(
            bytes, isJSON: file.lowercased().hasSuffix(".json"), place: path,
            labels: [Label(name: "__meta_filepath", value: path)])
    }
}
