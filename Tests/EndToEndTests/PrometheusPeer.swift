import Foundation
import JSON
import TestSupport
import Testing

/// Debian's Prometheus and promtool, whose data directories are moved to this program.
enum PrometheusPeer {
    static let binary = "/usr/bin/prometheus"
    static let promtool = "/usr/bin/promtool"
    static var isInstalled: Bool {
        [binary, promtool].allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Starts Prometheus on `data`, with the receiver of pushes, the admin API and native histograms.
    ///
    /// - Parameter takesLate: Whether samples that come up to three hours late are taken.
    static func start(
        _ data: String, _ folder: Folder, _ more: [String] = [], takesLate: Bool = true
    ) throws -> Daemon {
        let config = try folder.write(
            "prometheus.yml", takesLate ? "storage: {tsdb: {out_of_order_time_window: 3h}}\n" : "global: {}\n")
        let port = LoopbackSocket.freePort()
        return try Daemon(
            binary,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(data)", "--web.listen-address=127.0.0.1:\(port)",
                "--storage.tsdb.retention.time=10y", "--web.enable-remote-write-receiver", "--web.enable-admin-api",
                "--enable-feature=native-histograms,exemplar-storage", "--log.level=warn",
            ] + more, port: port, folder: folder.url)
    }

    /// Runs a program to its end; its status, and what it wrote.
    static func run(_ binary: String, _ arguments: [String], in folder: Folder) throws -> (status: Int32, text: String)
    {
        let daemon = try Daemon(binary, arguments, port: 0, folder: folder.url)
        daemon.process.waitUntilExit()
        return (daemon.process.terminationStatus, daemon.logText)
    }

    /// Everything that a server answers about all its series, by labels: times with values or histograms.
    static func everything(_ probe: HTTPProbe, at time: Int64) throws -> [String: [String]] {
        let path = "/api/v1/query?query=" + HTTPProbe.escape(#"{__name__=~".+"}[100h]"#) + "&time=\(time / 1000)"
        let answer = try #require(probe.get(path))
        try #require(answer.status == 200, "\(answer.text.prefix(500))")
        var result: [String: [String]] = [:]
        for series in try JSONValue.parse(answer.body)["data"]?["result"]?.array ?? [] {
            let labels = (series["metric"]?.object ?? []).map { "\($0.key)=\($0.value.string ?? "")" }.sorted()
            var samples: [String] = []
            for point in series["values"]?.array ?? [] {
                samples.append("\(point.array?.first?.number ?? .nan) \(point.array?.last?.string ?? "")")
            }
            for point in series["histograms"]?.array ?? [] {
                let histogram = point.array?.last
                let buckets = (histogram?["buckets"]?.array ?? []).map { bucket in
                    (bucket.array ?? []).map { $0.string ?? "\($0.number ?? .nan)" }.joined(separator: " ")
                }
                samples.append(
                    "\(point.array?.first?.number ?? .nan) count \(histogram?["count"]?.string ?? "") "
                        + "sum \(histogram?["sum"]?.string ?? "") \(buckets)")
            }
            result[labels.joined(separator: ",")] = samples
        }
        return result
    }
}

/// Every file and directory below one, with what would betray that it was touched.
struct DirectoryState: Equatable {
    struct Entry: Equatable {
        var content: Data?
        var modified: Int
        var identity: UInt64
    }

    var entries: [String: Entry] = [:]

    init(_ path: String) throws {
        let names = try FileManager.default.subpathsOfDirectory(atPath: path)
        for name in [""] + names {
            var status = stat()
            try #require(lstat(path + "/" + name, &status) == 0)
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            let modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
            entries[name] = Entry(
                content: isDirectory ? nil : try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)),
                modified: modified, identity: UInt64(status.st_ino))
        }
    }

    /// Names and contents only.
    var contents: [String: Data?] { entries.mapValues(\.content) }
}
