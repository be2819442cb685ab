import API
import HTTP
import Model
import Platform
import PromQL
import Remote
import Storage
import Telemetry
import TestSupport

/// What takes pushes and parameters: from the body to the answers of queries over what was stored.
enum PushTargets {
    private static let now: Int64 = 1_700_000_000_000

    /// One daemon without sockets: a store, a receiver and the API over both.
    private struct Daemon {
        let files = FaultyFileSystem()
        let store: TimeSeriesStore
        let receiver: RemoteWriteReceiver
        let router: Router

        init?() {
            let clock = ManualClock(now: PushTargets.now)
            guard
                let store = try? TimeSeriesStore.open(
                    options: StoreOptions(
                        directory: "data", retentionTime: 0, blockDuration: 600_000, runsInBackground: false),
                    fileSystem: files, clock: clock)
            else { return nil }
            self.store = store
            let metrics = MetricRegistry()
            receiver = RemoteWriteReceiver(store: store, clock: clock, metrics: metrics)
            var options = EngineOptions()
            options.maxMemoryPerQuery = 64 << 20
            options.parser = .all
            var context = APIContext(
                engine: QueryEngine(options: options), source: store, store: FuzzedStore(store: store),
                control: FuzzedDaemon(), metrics: metrics, clock: clock)
            context.settings.enablesAdmin = true
            var routes = Router.Builder()
            APIRoutes.add(to: &routes, context)
            router = Router(routes)
        }

        func ask(_ path: String, _ query: [(name: String, value: String)], method: String = "GET") -> Int {
            router.handle(HTTPRequest(method: method, path: path, query: query)).status
        }
    }

    private static let queries: [String] = [
        "{__name__=~\".+\"}", "histogram_count({a!=\"\"})", "histogram_sum(h)", "histogram_avg(h)",
        "histogram_stddev(h)", "histogram_stdvar(h)", "histogram_quantile(0.9, h)", "histogram_fraction(-1, 2, h)",
        "rate(h[10m])", "increase(h[10m])", "delta(h[10m])", "irate(h[10m])", "idelta(h[10m])", "sum(h)", "avg(h)",
        "h + h", "h - h", "h * 2", "h / 3", "-h", "h == h", "h != h", "h <= 2", "histogram_quantile(0.5, sum(h) - h)",
        "avg_over_time(h[10m])", "sum_over_time(h[10m])", "max_over_time(h[10m:1m])", "rate(h[10m:20s])",
        "changes(h[10m])", "resets(h[10m])", "last_over_time(h[10m])", "count_values(\"v\", h)", "topk(2, h)",
        "label_replace(h, \"b\", \"$1\", \"a\", \"(.*)\")", "h and h", "absent(h)", "timestamp(h)", "count(h)",
    ]

    /// Pushes a body, made of the bytes as they are, and asks everything of what became of it; then reopens the store.
    static func push(_ bytes: UnsafeRawBufferPointer, type: String) {
        guard let daemon = Daemon() else { return }
        let body = packed(Array(bytes))
        let headers = [(name: "Content-Type", value: type)]
        for _ in 0..<2 {
            let answer = daemon.receiver.handle(
                HTTPRequest(method: "POST", path: "/api/v1/write", headers: headers, body: body))
            precondition([204, 400].contains(answer.status), "\(answer.status)")
        }
        let (start, end) = (("start", "\(now / 1000 - 60)"), ("end", "\(now / 1000 + 60)"))
        for query in queries {
            for step in ["20"] {
                let status = daemon.ask(
                    "/api/v1/query_range",
                    [("query", query), start, end, ("step", step)].map { (name: $0.0, value: $0.1) })
                precondition(status == 200 || status == 422, "\(query): \(status)")
            }
        }
        _ = daemon.ask("/federate", [(name: "match[]", value: "{__name__=~\".+\"}")])
        _ = daemon.ask("/api/v1/metadata", [])
        daemon.store.runMaintenance()
        daemon.store.abandon()
        if let again = try? TimeSeriesStore.open(
            options: StoreOptions(directory: "data", retentionTime: 0, blockDuration: 600_000, runsInBackground: false),
            fileSystem: daemon.files, clock: ManualClock(now: now + 7_200_000))
        {
            again.runMaintenance()
            _ = try? again.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
            again.abandon()
        }
    }

    /// Snappy's block format with literals only.
    private static func packed(_ message: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var rest = message.count
        while rest >= 0x80 {
            out.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(rest))
        for start in stride(from: 0, to: message.count, by: 60) {
            let part = message[start..<min(start + 60, message.count)]
            out.append(UInt8((part.count - 1) << 2))
            out += part
        }
        return out
    }

    // MARK: Parameters

    private static let shared: Daemon? = {
        guard let daemon = Daemon() else { return nil }
        let group = daemon.store.openGroup("fuzz")
        for (name, label) in [("m", "0"), ("m", "1"), ("h", "0")] {
            guard let ref = try? daemon.store.resolve(Labels([("__name__", name), ("i", label)]), in: group) else {
                return nil
            }
            var batch = SampleBatch()
            for step in 0..<20 {
                let time = now - 300_000 + Int64(step) * 15_000
                if name == "h" {
                    batch.append(
                        ref,
                        FloatHistogram(
                            count: Double(step), sum: 1, positiveSpans: [.init(offset: 0, length: 1)],
                            positiveBuckets: [Double(step)]), at: time)
                } else {
                    batch.append(ref, Double(step), at: time)
                }
            }
            _ = try? daemon.store.commit(batch, in: group, durability: .written)
        }
        return daemon
    }()

    private static let paths = [
        "query", "query_range", "query_exemplars", "series", "labels", "label/i/values", "metadata", "targets/metadata",
        "status/tsdb", "rules", "alerts", "targets", "format_query", "parse_query", "status/rejected_samples",
        "admin/tsdb/delete_series",
    ]
    private static let names = [
        "query", "time", "start", "end", "step", "timeout", "limit", "lookback_delta", "match[]", "limit_per_metric",
        "group_limit", "metric", "stats", "group_next_token",
    ]
    private static let values = [
        "0", "-1", "1", "9223372036854775807", "-9223372036854775808", "9223372036854775.807", "1e308", "-1e308", "NaN",
        "+Inf", "1e-320", "9223372036854775", "-9223372036854775", "1700000000", "292277025-08-18T07:12:54.999999999Z",
        "-292273086-05-16T16:47:06Z", "106751d", "292y", "1ms", "m", "h", "rate(m[1m] offset 1s)", "m @ 1e15",
        "m offset 290y", "m[292y:1ms]", "max_over_time(m[5m:1ms] @ end())", "histogram_quantile(1e308, h)",
        "topk(9223372036854775807, m)", "quantile(1e308, m)", "predict_linear(m[5m], 1e308)", "round(m, 1e-320)",
        "label_replace(m, \"a\", \"$0$0$0\", \"i\", \".*\")", "{i=~\".+\"}",
    ]

    /// Two bytes are a parameter and its value, taken from lists of extremes; bytes from 0x80 on are a text as it is.
    static func parameters(_ bytes: UnsafeRawBufferPointer) {
        guard let daemon = shared, bytes.count >= 3 else { return }
        let path = paths[Int(bytes[0]) % paths.count]
        var query: [(name: String, value: String)] = []
        var at = 1
        while at + 1 < bytes.count, query.count < 8 {
            let name = names[Int(bytes[at]) % names.count]
            if bytes[at + 1] < 0x80 {
                query.append((name, values[Int(bytes[at + 1]) % values.count]))
                at += 2
            } else {
                let size = min(Int(bytes[at + 1]) - 0x80, bytes.count - at - 2)
                let text = UnsafeRawBufferPointer(rebasing: bytes[(at + 2)..<(at + 2 + size)])
                query.append((name, String(decoding: text, as: UTF8.self)))
                at += 2 + size
            }
        }
        // A query takes as long as it is allowed to; the fuzzer has no use for that.
        query.insert((name: "timeout", value: "1"), at: 0)
        let status = daemon.ask("/api/v1/" + path, query, method: path.hasPrefix("admin") ? "POST" : "GET")
        precondition([200, 204, 400, 404, 422, 500, 503].contains(status), "\(path) \(query): \(status)")
        precondition(status != 500 || path.hasPrefix("admin"), "\(path) \(query)")
    }
}
