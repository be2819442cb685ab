import Config
import Glibc
import GoCompatibility
import Model
import Platform
import Synchronization
import Telemetry

/// Reads target groups from JSON and YAML files.
///
/// If a file cannot be read or parsed, the groups of its last valid version stay, and the error is reported.
package final class FileDiscoverer: Sendable {
    private struct State {
        var versions: [ExactText: FileStamp] = [:]
        var groups: [ExactText: [TargetGroup]] = [:]
        var errors: [ExactText: String] = [:]

        /// The groups in the order of paths.
        var allGroups: [TargetGroup] { groups.keys.sorted().flatMap { groups[$0] ?? [] } }
    }

    /// The most files of one discoverer that may hang, each of which blocks a thread; above that, the others are not
    /// checked.
    private static let mostUnanswered = 8

    /// The milliseconds after which a refresh is made even if there is no change.
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
        (scans, readErrors) = Self.ownMetrics(metrics)
    }

    /// The metrics of all files together.
    static func ownMetrics(_ metrics: MetricRegistry) -> (scans: SummaryMetric, readErrors: Counter) {
        let scans = metrics.summary(
            "prometheus_sd_file_scan_duration_seconds", "The duration of the File-SD scan in seconds.")
        let readErrors = metrics.counter("prometheus_sd_file_read_errors_total", "The number of File-SD read errors.")
        return (scans, readErrors)
    }

    /// The errors of the last refresh by file.
    package var errors: [ExactText: String] { state.withLock { $0.errors } }

    private func paths() async throws(ConfigError) -> [String] {
        var paths: [String] = []
        for pattern in patterns where GoGlob.isWellFormed(pattern) {
            // A plain name is kept even if the file does not exist, so that its absence is reported.
            for path in GoGlob.hasWildcard(pattern) ? try await FileGlob.matches(of: pattern) : [pattern]
            where !paths.contains(where: path.isExactly) { paths.append(path) }
        }
        return paths
    }

    /// The files that a check finds before it reads them.
    private struct Found {
        /// The versions in the order of paths.
        var versions: [(path: ExactText, stamp: FileStamp)] = []
        /// The files that do not answer, and the patterns that cannot be read.
        var unanswered: [ExactText: ConfigError] = [:]
    }

    private func find() async throws(ConfigError) -> Found {
        var found = Found()
        for path in try await paths().map({ ExactText($0) }).sorted() {
            do throws(ConfigError) {
                // Each of them blocks a thread until its file system answers.
                if let first = found.unanswered.first, found.unanswered.count >= Self.mostUnanswered {
                    throw first.value
                }
                if let stamp = try await ConfigFile.version(of: path.text) { found.versions.append((path, stamp)) }
            } catch {
                found.unanswered[path] = error
            }
        }
        for pattern in patterns where !GoGlob.isWellFormed(pattern) {
            found.unanswered[ExactText(pattern)] = ConfigError(file: pattern, message: FileGlob.syntaxError)
        }
        return found
    }

    /// Whether ``refresh()`` would find a change; the files are not read for this.
    package func hasChanged() async -> Bool {
        guard let found = try? await find() else { return false }
        return state.withLock { state in
            var now = state.versions.filter { found.unanswered[$0.key] != nil }
            for (path, stamp) in found.versions { now[path] = stamp }
            return now != state.versions
        }
    }

    /// Returns the current groups; those of a file that cannot be read stay as they were.
    package func refresh() async -> [TargetGroup] {
        let started = clock.monotonic()
        defer { scans.observe(Double(clock.monotonic() - started) / 1e9) }
        // The versions are read before the contents, so that the next check notices a change in between.
        let found: Found
        do throws(ConfigError) {
            found = try await find()
        } catch {
            return state.withLock { state in
                report(error, ExactText(error.file), state.errors)
                state.errors = [ExactText(error.file): "\(error)"]
                return state.allGroups
            }
        }
        var read: [ExactText: Result<[TargetGroup], ConfigError>] = found.unanswered.mapValues { .failure($0) }
        for (path, _) in found.versions { read[path] = await Self.groups(of: path.text) }
        return take(found, read)
    }

    private func take(
        _ found: Found, _ read: [ExactText: Result<[TargetGroup], ConfigError>]
    ) -> [TargetGroup] {
        state.withLock { state in
            let before = (versions: state.versions, errors: state.errors)
            state.errors = [:]
            state.versions = before.versions.filter { found.unanswered[$0.key] != nil }
            for (path, stamp) in found.versions { state.versions[path] = stamp }
            for path in state.groups.keys where read[path] == nil { forgetTime(path.text) }
            state.groups = state.groups.filter { read[$0.key] != nil }
            for (path, result) in read {
                switch result {
                case .success(let groups):
                    state.groups[path] = groups
                    state.versions[path].map { showTime($0, path.text) }
                case .failure(let error):
                    report(error, path, before.errors)
                    state.errors[path] = "\(error)"
                    // The old version stays, so that the next check tries again.
                    if error.isUnanswered { state.versions[path] = before.versions[path] }
                }
            }
            return state.allGroups
        }
    }

    /// Reports that a file cannot be read; once while it does not answer.
    private func report(_ error: ConfigError, _ path: ExactText, _ before: [ExactText: String]) {
        if error.isUnanswered, before[path] == "\(error)" { return }
        readErrors.increment()
        log.error(
            "Error reading file", about: [path.text, "\(error)"], ["path": path.text, "err": "\(error)"])
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
        try parse(try ConfigFile.read(path), path)
    }

    private static func groups(of path: String) async -> Result<[TargetGroup], ConfigError> {
        let bytes: [UInt8]
        do throws(ConfigError) {
            bytes = try await ConfigFile.content(of: path)
        } catch {
            return .failure(error)
        }
        // Deeply nested texts need a thread with a large stack.
        return await BlockingCall.run { Result { () throws(ConfigError) in try parse(bytes, path) } }
    }

    private static func parse(_ bytes: [UInt8], _ path: String) throws(ConfigError) -> [TargetGroup] {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return try TargetGroupList.parse(
            bytes, isJSON: GoCase.lower(file).hasSuffix(".json"), place: path,
            labels: [Label(name: "__meta_filepath", value: path)])
    }
}
