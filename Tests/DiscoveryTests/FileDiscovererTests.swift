import Config
import Discovery
import Glibc
import Model
import Platform
import Synchronization
import Telemetry
import TestSupport
import Testing

@Suite("File discovery")
struct FileDiscovererTests {
    /// A directory that is gone after the test.
    final class Folder {
        private let temporary: TemporaryFolder
        var path: String { temporary.path }
        init() throws { temporary = try TemporaryFolder() }
        func write(_ name: String, _ text: String) {
            // A new file each time: its inode differs even if size and second do not.
            let temporary = path + "/.new"
            guard let file = fopen(temporary, "w") else { return }
            fputs(text, file)
            fclose(file)
            rename(temporary, path + "/" + name)
        }
    }

    func discoverer(_ folder: Folder, _ pattern: String) throws -> FileDiscoverer {
        let text = """
            scrape_configs:
              - job_name: a
                file_sd_configs: [{files: ["\(folder.path)/\(pattern)"]}]
            """
        let configuration = try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
        return FileDiscoverer(
            try #require(configuration.scrapeConfigs.first?.fileDiscovery.first), metrics: MetricRegistry())
    }

    @Test("groups of JSON and YAML files carry the file's path")
    func both() async throws {
        let folder = try Folder()
        folder.write("a.json", #"[{"targets": ["x:1", "y:2"], "labels": {"env": "p"}}]"#)
        folder.write("b.yml", "- targets: ['z:3']\n")
        let groups = try await discoverer(folder, "*.json").refresh() + discoverer(folder, "*.yml").refresh()
        #expect(groups.map(\.source) == ["\(folder.path)/a.json:0", "\(folder.path)/b.yml:0"])
        #expect(groups.flatMap(\.targets).flatMap { $0 }.map(\.value) == ["x:1", "y:2", "z:3"])
        #expect(
            groups.first?.labels
                == [Label(name: "env", value: "p"), Label(name: "__meta_filepath", value: folder.path + "/a.json")])
    }

    @Test("files whose names differ in their bytes are two, even if Unicode takes them for the same")
    func bytes() async throws {
        let folder = try Folder()
        folder.write("caf\u{E9}.json", #"[{"targets": ["x:1"]}]"#)
        folder.write("cafe\u{301}.json", #"[{"targets": ["x:2"]}]"#)
        let discoverer = try discoverer(folder, "*.json")
        #expect(await discoverer.refresh().count == 2)
        folder.write("caf\u{E9}.json", "[")
        #expect(await discoverer.refresh().count == 2)
        #expect(discoverer.errors.keys.map(\.text.utf8.count) == [folder.path.utf8.count + 11])
    }

    @Test("patterns may have several stars and classes; one that cannot be read is reported, and stops no other")
    func patterns() async throws {
        let folder = try Folder()
        folder.write("x-t1.json", #"[{"targets": ["x:1"]}]"#)
        folder.write("y.json", #"[{"targets": ["y:1"]}]"#)
        let discoverer = try discoverer(folder, #"[.json", "\#(folder.path)/*-t*.json", "\#(folder.path)/[^x].json"#)
        let groups = await discoverer.refresh()
        #expect(groups.flatMap(\.targets).flatMap { $0 }.map(\.value) == ["x:1", "y:1"])
        #expect(discoverer.errors.keys.map(\.text) == ["\(folder.path)/[.json"])
        #expect(await !discoverer.hasChanged())
    }

    @Test("a broken file keeps its last good groups and is reported")
    func broken() async throws {
        let folder = try Folder()
        folder.write("a.json", #"[{"targets": ["x:1"]}]"#)
        let discoverer = try discoverer(folder, "a.json")
        let good = await discoverer.refresh()
        #expect(await !discoverer.hasChanged())
        folder.write("a.json", "[{\"targets\": [\"x:1\"")
        #expect(await discoverer.hasChanged())
        #expect(await discoverer.refresh() == good)
        #expect(discoverer.errors.keys.map(\.text) == ["\(folder.path)/a.json"])
        folder.write("a.json", "[]")
        #expect(await discoverer.refresh() == [])
        #expect(discoverer.errors.isEmpty)
    }

    @Test("unknown fields are refused", arguments: ["[{\"targets\": [], \"x\": 1}]", "{}", "[null]", "[1]"])
    func unknown(_ text: String) async throws {
        let folder = try Folder()
        folder.write("a.json", text)
        let discoverer = try discoverer(folder, "a.json")
        #expect(await discoverer.refresh() == [])
        #expect(discoverer.errors.count == 1)
    }

    @Test("the manager hands over at once, and again when a file changes")
    func manager() async throws {
        let folder = try Folder()
        folder.write("a.json", #"[{"targets": ["x:1"]}]"#)
        let text = """
            scrape_configs:
              - job_name: a
                static_configs: [{targets: ["s:1"]}]
                file_sd_configs: [{files: ["\(folder.path)/*.json"]}]
            """
        let configuration = try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
        let job = try #require(configuration.scrapeConfigs.first)
        let seen = Mutex<[[String]]>([])
        let manager = DiscoveryManager(name: "scrape", clock: SystemClock(), metrics: MetricRegistry()) { _, groups in
            seen.withLock { $0.append(groups.flatMap(\.targets).flatMap { $0 }.map(\.value)) }
        }
        manager.apply([
            DiscoveryJob(name: "a", staticConfigs: job.staticConfigs, fileDiscovery: job.fileDiscovery)
        ])
        #expect(seen.withLock { $0 } == [["s:1", "x:1"]])
        folder.write("b.json", #"[{"targets": ["y:2"]}]"#)
        await manager.poll()
        #expect(seen.withLock { $0.last } == ["s:1", "x:1", "y:2"])
        manager.shutdown()
    }

    @Test("each consumer has its metrics from the start, and counts what a job has at once")
    func ownMetrics() {
        let metrics = MetricRegistry()
        func value(_ name: String, _ labels: [String]) -> Double? {
            let samples = metrics.families().first { $0.name == name }?.samples ?? []
            return samples.first { Set($0.labels.map(\.value)) == Set(labels) }?.value
        }
        let managers = ["scrape", "notify"].map {
            DiscoveryManager(name: $0, clock: ManualClock(), metrics: metrics) { _, _ in }
        }
        for name in ["scrape", "notify"] {
            #expect(value("prometheus_sd_received_updates_total", [name]) == 0)
            #expect(value("prometheus_sd_updates_total", [name]) == 0)
        }
        #expect(value("prometheus_sd_file_read_errors_total", []) == 0)
        #expect(value("prometheus_sd_http_failures_total", []) == 0)
        #expect(metrics.families().contains { $0.name == "prometheus_sd_file_scan_duration_seconds" })
        let job = DiscoveryJob(
            name: "config-0", staticConfigs: [TargetGroupConfig(targets: ["a:1", "b:2"], labels: [])])
        for _ in 0..<2 { managers[1].apply([job]) }
        #expect(value("prometheus_sd_received_updates_total", ["notify"]) == 1)
        #expect(value("prometheus_sd_updates_total", ["notify"]) == 2)
        #expect(value("prometheus_sd_discovered_targets", ["notify", "config-0"]) == 2)
        #expect(value("prometheus_sd_received_updates_total", ["scrape"]) == 0)
        managers[1].apply([])
        #expect(value("prometheus_sd_discovered_targets", ["notify", "config-0"]) == nil)
    }

    @Test("a pipe among the files is reported and stops neither the others nor who waits for them")
    func pipe() async throws {
        let folder = try Folder()
        folder.write("a.json", #"[{"targets": ["x:1"]}]"#)
        let pipe = folder.path + "/b.json"
        try #require(mkfifo(pipe, 0o600) == 0)
        let discoverer = try discoverer(folder, "*.json")
        #expect(await discoverer.refresh().flatMap(\.targets).flatMap { $0 }.map(\.value) == ["x:1"])
        #expect(discoverer.errors.map(\.value) == ["\(pipe): open: not a regular file"])
        let seen = Mutex<[Int]>([])
        let manager = DiscoveryManager(name: "scrape", clock: ManualClock(), metrics: MetricRegistry()) { _, groups in
            seen.withLock { $0.append(groups.count) }
        }
        let text = """
            scrape_configs:
              - job_name: a
                file_sd_configs: [{files: ["\(pipe)"]}, {files: ["\(folder.path)/a.json"]}]
            """
        let configuration = try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
        let job = try #require(configuration.scrapeConfigs.first)
        manager.apply([DiscoveryJob(name: "a", staticConfigs: [], fileDiscovery: job.fileDiscovery)])
        #expect(seen.withLock { $0 } == [1])
        unlink(pipe)
        folder.write("b.json", #"[{"targets": ["y:2"]}]"#)
        await manager.poll()
        #expect(seen.withLock { $0 } == [1, 2])
        manager.shutdown()
    }
}
