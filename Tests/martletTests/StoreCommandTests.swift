import Foundation
import Platform
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
