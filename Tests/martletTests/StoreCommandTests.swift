import Foundation
import Model
import Platform
import Storage
import TestSupport
import Testing

@testable import martlet

/// `martlet tsdb` where the directories are not what the command needs.
@Suite("Commands of stores")
struct StoreCommandTests {
    private let temporary: TemporaryFolder
    private var folder: String { temporary.path }

    init() throws {
        temporary = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder + "/p/wal", withIntermediateDirectories: true)
        try Data([0]).write(to: URL(fileURLWithPath: folder + "/p/wal/00000000"))
        try Data().write(to: URL(fileURLWithPath: folder + "/p/lock"))
        var text = "# TYPE a gauge\n"
        for step in 0..<10 { text += "a{s=\"1\"} \(step) \(1_700_000_000 + step)\n" }
        for step in 0..<10 { text += "a{s=\"2\"} \(step) \(1_700_000_000 + step)\n" }
        try (text + "# EOF\n").write(toFile: folder + "/a.om", atomically: true, encoding: .utf8)
    }

    private func store(_ name: String) -> String { "--storage.tsdb.path=\(folder)/\(name)" }

    private func run(_ words: String...) -> Int32 { Command.run(["tsdb"] + words) }

    private func refusal(_ directory: String, isForced: Bool = false) -> String {
        do {
            try ImportSource.hold(directory, RealFileSystem(), isForced: isForced).release()
            return ""
        } catch { return "\(error)" }
    }

    @Test func `what cannot be done as things are ends with 1`() {
        #expect(run("create-blocks-from", "openmetrics", folder + "/a.om", store("s")) == 0)
        for command in ["list", "analyze", "dump", "verify"] {
            #expect(run(command, store("s")) == 0)
            #expect(run(command, store("missing")) == 1)
            #expect(run(command, store("p")) == 1)
        }
        #expect(!FileManager.default.fileExists(atPath: folder + "/missing"))
        #expect(run("export", folder + "/out", store("missing")) == 1)
        #expect(run("export", folder + "/s", store("s")) == 1)
        #expect(run("export", folder + "/out", store("s")) == 0)
        #expect(run("export", folder + "/out", store("s")) == 1)
        #expect(run("import", folder + "/s", store("t")) == 1)
        #expect(run("import", folder + "/missing", store("t")) == 1)
        #expect(run("import", folder + "/a.om", store("t")) == 1)
        #expect(run("import", folder + "/p/wal", store("t")) == 1)
        #expect(run("import", folder + "/out", store("p")) == 1)
        #expect(!FileManager.default.fileExists(atPath: folder + "/t"))
        #expect(refusal(folder + "/s").contains("is a store of martlet"))
        #expect(refusal(folder + "/missing").contains("no such directory"))
    }

    /// The content of each file below a directory; nil for directories.
    private func tree(_ directory: String) throws -> [String: Data?] {
        var result: [String: Data?] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: directory) {
            result[name] = .some(FileManager.default.contents(atPath: directory + "/" + name))
        }
        return result
    }

    /// A store of a daemon that was killed: a block, a checkpoint with a spill file, and a log.
    private func makeKilledStore(_ directory: String) throws {
        #expect(run("create-blocks-from", "openmetrics", folder + "/a.om", "--storage.tsdb.path=" + directory) == 0)
        for part in 0..<2 {
            let store = try TimeSeriesStore.open(options: StoreOptions(directory: directory, runsInBackground: false))
            let group = store.openGroup("g")
            for step in 0..<1000 {
                var batch = SampleBatch(timestamp: 1_700_100_000_000 + Int64(part * 1000 + step) * 15_000)
                batch.append(try store.resolve(Labels([("__name__", "b")]), in: group), Double(step) / 7)
                _ = try store.commit(batch, in: group, durability: .synced)
            }
            if part == 0 { try store.close() } else { store.abandon() }
        }
    }

    private static let readingCommands = [["list"], ["analyze"], ["dump"], ["verify"]]

    @Test(arguments: ["spill", "wal", "checkpoint", "blocks"])
    func `what reads a damaged store ends with 1`(_ part: String) throws {
        let directory = folder + "/killed"
        try makeKilledStore(directory)
        let names = try tree(directory).filter { $0.value != nil }.keys.sorted()
        let name = try #require(
            names.first { part == "blocks" ? $0.hasSuffix("/data") : $0 == part || $0.hasPrefix(part + "/") })
        let path = directory + "/" + name
        var content = try #require(FileManager.default.contents(atPath: path))
        // Samples are not at the very beginning, and the end of the log may be an unfinished write.
        content[content.count / 2] ^= 0x40
        try content.write(to: URL(fileURLWithPath: path))
        for command in ["verify", "dump", "analyze"] {
            #expect(run(command, "--storage.tsdb.path=" + directory) == 1, "\(command) \(name)")
        }
        #expect(run("export", folder + "/out", "--storage.tsdb.path=" + directory) == 1, "\(name)")
    }

    @Test func `what reads a store changes no byte of it`() throws {
        let directory = folder + "/killed"
        try makeKilledStore(directory)
        let before = try tree(directory)
        for command in Self.readingCommands {
            // With another span the samples in no block are made blocks.
            for more in [[], ["--storage.tsdb.min-block-duration=30m"]] {
                #expect(Command.run(["tsdb"] + command + ["--storage.tsdb.path=" + directory] + more) == 0)
                #expect(try tree(directory) == before, "\(command) \(more)")
            }
        }
        #expect(run("export", folder + "/out", store("killed")) == 0)
        #expect(try tree(directory) == before)
        // The lock file may be missing, as in a snapshot.
        try FileManager.default.removeItem(atPath: directory + "/lock")
        #expect(run("dump", store("killed")) == 0)
        #expect(!FileManager.default.fileExists(atPath: directory + "/lock"))
    }

    @Test func `what reads a damaged store changes no byte of it`() throws {
        let directory = folder + "/killed"
        try makeKilledStore(directory)
        for name in try tree(directory).keys where name.contains("/") || name == "checkpoint" {
            let path = directory + "/" + name
            guard var bytes = FileManager.default.contents(atPath: path), !bytes.isEmpty, name != "blocks/MANIFEST"
            else {
                continue
            }
            bytes[bytes.count / 2] ^= 0xFF
            try bytes.write(to: URL(fileURLWithPath: path))
        }
        let before = try tree(directory)
        for command in Self.readingCommands {
            _ = Command.run(["tsdb"] + command + ["--storage.tsdb.path=" + directory])
            #expect(try tree(directory) == before, "\(command)")
        }
    }

    @Test func `a store in use is not read`() throws {
        #expect(run("create-blocks-from", "openmetrics", folder + "/a.om", store("s")) == 0)
        let user = try TimeSeriesStore.open(options: StoreOptions(directory: folder + "/s", runsInBackground: false))
        #expect(run("dump", store("s")) == 1)
        try user.close()
        #expect(run("dump", store("s")) == 0)
    }

    @Test func `an import takes what its times and its selector name`() throws {
        #expect(run("create-blocks-from", "openmetrics", folder + "/a.om", store("s")) == 0)
        #expect(run("export", folder + "/out", store("s")) == 0)
        #expect(
            run(
                "import", folder + "/out", store("t"), "--match=a{s=\"2\"}", "--min-time=1700000003",
                "--max-time=1700000006") == 0)
        #expect(run("export", folder + "/part", store("t")) == 0)
        #expect(try samples(folder + "/part") == (1, 4))
        // A block outside the times is no error, and nothing is taken of it.
        #expect(run("import", folder + "/out", store("u"), "--min-time=2030-01-01T00:00:00Z") == 0)
        #expect(run("export", folder + "/none", store("u")) == 0)
        #expect(!FileManager.default.fileExists(atPath: folder + "/none"))
        #expect(run("import", folder + "/out", store("u"), "--min-time=2", "--max-time=1") == 2)
    }

    /// The series and samples of the one block in a directory.
    private func samples(_ directory: String) throws -> (Int, Int) {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0 != "wal" }
        let meta = try #require(FileManager.default.contents(atPath: "\(directory)/\(names[0])/meta.json"))
        let json = try #require(JSONSerialization.jsonObject(with: meta) as? [String: Any])
        let stats = try #require(json["stats"] as? [String: Int])
        return (stats["numSeries"] ?? 0, stats["numSamples"] ?? 0)
    }

    @Test func `a held lock file refuses an import, with --force too`() throws {
        // The lock belongs to the open file, not to the process.
        let lock = open(folder + "/p/lock", O_RDWR)
        #expect(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
        #expect(refusal(folder + "/p").contains("in use by process \(getpid())"))
        #expect(refusal(folder + "/p", isForced: true).contains("in use"))
        close(lock)
        #expect(refusal(folder + "/p") == "")
    }

    /// Runs `sh` with a file of the log open, and looks for users meanwhile.
    private func users(_ redirection: String) throws -> DirectoryUsers.Finding {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", "exec 3\(redirection); echo; read end", folder]
        let (input, output) = (Pipe(), Pipe())
        (shell.standardInput, shell.standardOutput) = (input, output)
        try shell.run()
        _ = output.fileHandleForReading.availableData
        let finding = DirectoryUsers.find(of: folder + "/p", RealFileSystem())
        try input.fileHandleForWriting.close()
        shell.waitUntilExit()
        return finding
    }

    @Test func `only who writes the log uses the directory`() throws {
        #expect(try users("<$0/p/wal/00000000") == .nobody)
        #expect(try users(">>$0/p/note") == .nobody)
        for redirection in [">>$0/p/wal/00000000", ">$0/p/lock", "<>$0/p/wal/00000000"] {
            guard case .writer(let process) = try users(redirection) else {
                Issue.record("\(redirection): nobody was found")
                continue
            }
            #expect(process.name == "sh" || process.name == "dash" || process.name == "bash")
        }
    }

    @Test func `a directory that was written meanwhile is told`() throws {
        let hold = try ImportSource.hold(folder + "/p", RealFileSystem(), isForced: false)
        defer { hold.release() }
        #expect(try !hold.hasChanged(RealFileSystem()))
        let log = try FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/p/wal/00000000"))
        try log.seekToEnd()
        try log.write(contentsOf: Data([1]))
        #expect(try hold.hasChanged(RealFileSystem()))
    }
}
