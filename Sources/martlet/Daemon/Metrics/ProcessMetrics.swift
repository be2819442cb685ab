import Glibc
import Platform
import Telemetry

/// The system's figures for this process, under the names that all exporters use.
enum ProcessMetrics {
    /// The labels of the metrics about this build.
    static func buildLabels(version: String) -> KeyValuePairs<String, String> {
        [
            "branch": ProductVersion.branch, "goarch": ProductVersion.architecture, "goos": "linux",
            "goversion": "swift" + ProductVersion.swift, "revision": ProductVersion.revision, "tags": "",
            "version": version,
        ]
    }

    static func register(_ registry: MetricRegistry, startTime: Int64) {
        registry.gauge(
            "prometheus_build_info", "A metric with a constant '1' value labeled by version of this build.",
            buildLabels(version: ProductVersion.api)
        ).set(1)
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        registry.addCollector {
            var families: [MetricFamily] = []
            func add(_ name: String, _ help: String, _ kind: MetricFamily.Kind, _ value: Double) {
                families.append(MetricFamily(name: name, help: help, kind: kind, samples: [.init(value: value)]))
            }
            add(
                "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", .gauge,
                Double(startTime) / 1000)
            // The fields after the command's name, which may contain spaces: user and system time are 12 and 13.
            if let stat = read("/proc/self/stat"), let end = stat.lastIndex(of: ")") {
                let fields = stat[stat.index(after: end)...].split(separator: " ").compactMap { Double($0) ?? .nan }
                if fields.count > 22 {
                    add(
                        "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", .counter,
                        (fields[11] + fields[12]) / ticks)
                    add("process_virtual_memory_bytes", "Virtual memory size in bytes.", .gauge, fields[20])
                    add("process_resident_memory_bytes", "Resident memory size in bytes.", .gauge, fields[21] * page)
                }
            }
            if let folder = opendir("/proc/self/fd") {
                var count = 0
                while readdir(folder) != nil { count += 1 }
                closedir(folder)
                add("process_open_fds", "Number of open file descriptors.", .gauge, Double(max(0, count - 3)))
            }
            var space = rlimit()
            if getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &space) == 0 {
                add(
                    "process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", .gauge,
                    Double(space.rlim_cur))
            }
            if let network = NetworkCounts.read() {
                add(
                    "process_network_receive_bytes_total",
                    "Number of bytes received by the process over the network.", .counter, network.received)
                add(
                    "process_network_transmit_bytes_total", "Number of bytes sent by the process over the network.",
                    .counter, network.sent)
            }
            var limit = rlimit()
            if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
                add("process_max_fds", "Maximum number of open file descriptors.", .gauge, Double(limit.rlim_cur))
            }
            return families
        }
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer[0..<count], as: UTF8.self)
    }
}
