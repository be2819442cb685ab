import GoCompatibility
import JSON
import Model
import Platform
import PromQL
import Synchronization
import Telemetry

/// Records the running queries, in case the daemon crashes in one of them, and the finished queries if a query log is
/// configured.
package final class QueryJournal: QueryObserver {
    private let active: ActiveQueries
    private let clock: any Clock
    private let log = Mutex<AppendedFile?>(nil)
    private let isLogged = Atomic<Bool>(false)
    private let enabled: Gauge
    private let failures: Counter
    private let durations: QueryDurations

    /// - Parameters:
    ///   - folder: The directory of `queries.active`.
    ///   - slots: The most queries of clients that are recorded at once; rules have as many again.
    package init(folder: String, slots: Int, clock: any Clock, metrics: MetricRegistry) {
        self.clock = clock
        active = ActiveQueries(path: folder + "/queries.active", slots: min(max(1, slots), ActiveQueries.mostSlots) * 2)
        enabled = metrics.gauge("prometheus_engine_query_log_enabled", "State of the query log.")
        failures = metrics.counter(
            "prometheus_engine_query_log_failures_total", "The number of query log failures.")
        durations = QueryDurations(metrics)
        // One line for each, since the log cuts long texts.
        for query in active.unfinished {
            Log("query").warn("These queries didn't finish in the last run", ["queries": "[\(query)]"])
        }
    }

    /// A query log that is open, but not in use yet.
    package struct PreparedLog: Sendable {
        fileprivate let file: AppendedFile?
    }

    /// Opens a query log, even if its path has not changed; an empty path means none.
    package static func prepareLog(_ path: String) throws -> PreparedLog {
        guard !path.isEmpty, case .appended(let file) = try FileReads.shared.waitForAnswer(.appended, path) else {
            return PreparedLog(file: nil)
        }
        return PreparedLog(file: file)
    }

    /// Starts to use a query log, and closes the previous one.
    package func setLog(_ prepared: PreparedLog) {
        log.withLock { $0 = prepared.file }
        isLogged.store(prepared.file != nil, ordering: .relaxed)
        enabled.set(prepared.file == nil ? 0 : 1)
    }

    /// Opens a query log, and starts to use it.
    package func setLog(_ path: String) throws { setLog(try Self.prepareLog(path)) }

    package func began(_ query: String) -> Int { active.insert(query, at: clock.now()) }

    package func ended(_ token: Int, _ record: () -> QueryRecord) {
        active.remove(token)
        let record = record()
        durations.observe(record)
        guard isLogged.load(ordering: .relaxed) else { return }
        let line = Self.line(record, at: clock.now())
        let isWritten = log.withLock { $0?.append(line) ?? true }
        if !isWritten { failures.increment() }
    }

    /// A line of the log, as Prometheus writes it.
    static func line(_ record: QueryRecord, at now: Int64) -> [UInt8] {
        var writer = JSONWriter(capacity: 512 + record.query.utf8.count)
        writer.object { writer in
            func text(_ name: String, _ value: String) {
                writer.key(name)
                writer.string(value)
            }
            text("time", RFC3339.text(now, fraction: .milliseconds))
            text("level", "INFO")
            text("msg", "promql query logged")
            writer.key("params")
            writer.object { writer in
                writer.key("end")
                writer.string(RFC3339.text(record.end, fraction: .milliseconds))
                writer.key("query")
                writer.string(record.query)
                writer.key("start")
                writer.string(RFC3339.text(record.start, fraction: .milliseconds))
                writer.key("step")
                writer.integer(Int(record.step / 1000))
            }
            if let error = record.error { text("error", error) }
            writer.key("stats")
            StatisticsWriter.write(record.statistics, start: record.start, step: record.step, to: &writer)
            switch record.origin {
            case .other: break
            case .http(let client, let method, let path):
                writer.key("httpRequest")
                writer.object { writer in
                    for (name, value) in [("clientIP", client), ("method", method), ("path", path)] {
                        writer.key(name)
                        writer.string(value)
                    }
                }
            case .rule(let file, let group):
                writer.key("ruleGroup")
                writer.object { writer in
                    for (name, value) in [("file", file), ("name", group)] {
                        writer.key(name)
                        writer.string(value)
                    }
                }
            }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }
}

/// The file of the running queries: each has a slot, which is written in place.
///
/// A slot contains a JSON object with a comma and a line end, filled up with zeros; the first byte of a free slot is
/// zero. So one small write records a query's begin, and one byte its end. Nothing is synced to disk: the file survives
/// a crash of the daemon, not of the machine.
final class ActiveQueries: Sendable {
    /// The bytes of a slot.
    static let slotSize = 1024
    /// The most slots that are read after the next start.
    static let mostSlots = 1024
    private let file: PlacedFile?
    private let free: Mutex<[Int]>
    /// The queries that ran when the previous daemon ended, as JSON.
    let unfinished: [String]

    /// Reads the entries of the last run, and starts a new file.
    ///
    /// If the file cannot be used, queries are not recorded.
    init(path: String, slots: Int) {
        let bytes = PlacedFile.content(path, atMost: Self.mostSlots * Self.slotSize, isOwn: true)
        unfinished = stride(from: 0, to: bytes.count, by: Self.slotSize).compactMap { start in
            let slot = bytes[start..<min(start + Self.slotSize, bytes.count)].prefix { $0 != 0 }
            let text = String(decoding: slot, as: UTF8.self)
            return text.hasPrefix("{") ? String(text.dropLast(text.hasSuffix(",\n") ? 2 : 0)) : nil
        }
        do throws(FileError) {
            file = try PlacedFile(path: path)
        } catch {
            file = nil
            Log("query").warn("Running queries are not noted", ["err": "\(error)"])
        }
        free = Mutex(Array((0..<min(max(0, slots), Self.mostSlots)).reversed()))
    }

    /// Records a running query; returns −1 if there is no free slot.
    func insert(_ query: String, at now: Int64) -> Int {
        guard let file, let slot = free.withLock({ $0.popLast() }) else { return -1 }
        file.write(Self.entry(query, at: now), at: slot * Self.slotSize)
        return slot
    }

    func remove(_ slot: Int) {
        guard slot >= 0, let file else { return }
        file.write([0], at: slot * Self.slotSize)
        free.withLock { $0.append(slot) }
    }

    /// The content of a slot; the text of a long query is truncated.
    static func entry(_ query: String, at now: Int64) -> [UInt8] {
        var text = query
        while true {
            var writer = JSONWriter(capacity: slotSize)
            writer.object { writer in
                writer.key("query")
                writer.string(text)
                writer.key("timestamp_sec")
                writer.integer(Int(now / 1000))
            }
            let entry = writer.bytes + Array(",\n".utf8)
            if entry.count < slotSize { return entry + [0] }
            // Escapes make a text longer, so the length to remove is not known in advance.
            text = String(text.prefix(min(slotSize, text.count) * 3 / 4))
        }
    }
}
