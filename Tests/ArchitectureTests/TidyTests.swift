import Foundation
import Testing

/// Rules that a program can check, each with what to do instead.
@Suite("Tidy")
struct TidyTests {
    static let banned: [(text: String, instead: String)] = [
        ("try" + "!", "throw, or handle the error"),
        ("import " + "Foundation", "use Glibc and the modules: Foundation brings ICU into the binary"),
        ("fatal" + "Error(", "throw for the world's mistakes, precondition for ours"),
        ("FIX" + "ME", "fix it or open an issue"),
        ("TO" + "DO", "do it or open an issue"),
        ("whole" + "Match(of:", "a regular expression in Swift is compiled in each call: scan the bytes"),
        ("first" + "Match(of:", "a regular expression in Swift is compiled in each call: scan the bytes"),
        ("prefix" + "Match(of:", "a regular expression in Swift is compiled in each call: scan the bytes"),
    ]

    @Test("no banned construct in Sources")
    func bannedConstructs() throws {
        for file in try ProjectFiles.swiftFiles("Sources") {
            let text = try ProjectFiles.text(file)
            for (construct, instead) in Self.banned where text.contains(construct) {
                Issue.record("\(file) has \(construct): \(instead)")
            }
        }
    }

    /// Where files may be opened: the one mechanism, what only opens files of the system, and a module below it.
    private static let opening = [
        "Sources/Platform/FileSystem/", "Sources/martlet/Daemon/Metrics/ProcessMetrics.swift",
        "Sources/martlet/Daemon/Metrics/NetworkCounts.swift", "Sources/martlet/Commands/ProcessArguments.swift",
        "Sources/martlet/Commands/DirectoryUsers.swift",
    ]

    @Test("files are opened by RegularFile, which no pipe can block")
    func opening() throws {
        for file in try ProjectFiles.swiftFiles("Sources") where !Self.opening.contains(where: file.hasPrefix) {
            let text = try ProjectFiles.text(file)
            for call in ["fopen(", "cplatform_open(", ", O_RDONLY |", ", O_WRONLY", ", O_RDWR"] {
                #expect(!text.contains(call), "\(file) has \(call): use RegularFile, or ConfigFile above it")
            }
        }
    }

    /// Where files are asked about without ``FileReads``: the daemon's own, the system's, and those of commands.
    private static let asking = [
        "Sources/Platform/", "Sources/Storage/", "Sources/Interchange/", "Sources/martlet/Commands/",
        "Sources/Notify/TimeInterval/TimeZone.swift",
    ]

    @Test("other people's files are asked about through FileReads, so that one that hangs stops nobody")
    func asking() throws {
        for file in try ProjectFiles.swiftFiles("Sources") where !Self.asking.contains(where: file.hasPrefix) {
            let text = try ProjectFiles.text(file)
            for call in ["RegularFile.content(", "FileStamp(", "glob(", "realpath(", "access(", "stat(", "opendir("]
            where !(call == "opendir(" && file.hasSuffix("ProcessMetrics.swift")) {
                #expect(!text.contains(call), "\(file) has \(call): use FileReads, or ConfigFile above it")
            }
        }
    }

    /// Tables whose keys are this program's own words.
    private static let ownKeys = [
        "Sources/Notify/Silence/Silences.swift", "Sources/Notify/Template/NotificationFunctions.swift",
        "Sources/Scrape/Append/ScrapeAppender.swift",
    ]

    @Test("names from outside are keys by their bytes: Swift takes é in one code point and in two for the same")
    func exactKeys() throws {
        for module in ["Config", "Discovery", "Notify", "Rules", "Scrape", "API", "Remote"] {
            for file in try ProjectFiles.swiftFiles("Sources/\(module)") where !Self.ownKeys.contains(file) {
                for line in try ProjectFiles.text(file).split(separator: "\n") where !line.contains("static ") {
                    #expect(
                        !line.contains(/(var|let) .*(Set<String>|\[String: )/),
                        "\(file): use ExactText in \(line)")
                }
            }
        }
    }

    @Test("case of texts from outside changes letter by letter, as in Go")
    func letterCase() throws {
        let folders = ["Config/Alertmanager", "Config/Relabel", "Config/YAML", "Rules", "Exposition/Lint", "API"]
        for file in try folders.flatMap({ try ProjectFiles.swiftFiles("Sources/" + $0) }) {
            let text = try ProjectFiles.text(file)
            for call in [".upper" + "cased()", ".lower" + "cased()", ".titlecaseMapping"] {
                #expect(!text.contains(call), "\(file) has \(call): use GoCase")
            }
        }
    }

    /// What starts threads of its own: loops that run as long as their part, and work that needs the only one.
    private static let starting: Set = [
        "Sources/Platform/Thread.swift", "Sources/Platform/ThreadPool.swift", "Sources/Platform/Sleepers.swift",
        "Sources/PromQL/Syntax/DeepStack.swift", "Sources/Storage/BackgroundLoop.swift",
        "Sources/HTTP/Server/HTTPServer.swift", "Sources/HTTP/Client/TransferLoop.swift",
        "Sources/martlet/Daemon/Signals.swift", "Sources/martlet/Daemon/Shutdown/StepThread.swift",
    ]

    @Test("queues and parts of work have their threads from ThreadPool and Workers")
    func starting() throws {
        for file in try ProjectFiles.swiftFiles("Sources") where !Self.starting.contains(file) {
            let text = try ProjectFiles.text(file)
            for call in ["Thread.start(", "pthread_create(", "sem_init("] {
                #expect(!text.contains(call), "\(file) has \(call): use ThreadPool, Workers or BlockingCall")
            }
        }
    }

    @Test("what queries use for each series has no lock that is handed over")
    func locks() throws {
        for file in try ProjectFiles.swiftFiles("Sources") {
            guard ["Sources/Storage/Block/", "Sources/Storage/Select/"].contains(where: file.hasPrefix) else {
                continue
            }
            // With it, several queries on one block had a fortieth of the throughput of one.
            #expect(!(try ProjectFiles.text(file)).contains("Mutex"), "\(file) has a Mutex: use Guarded")
        }
    }

    @Test("each unchecked claim about threads has its reason, and nothing is unowned")
    func threads() throws {
        for file in try ProjectFiles.swiftFiles("Sources") {
            let lines = try ProjectFiles.text(file).split(separator: "\n", omittingEmptySubsequences: false)
            for (at, line) in lines.enumerated() {
                #expect(!line.contains("unowned"), "\(file):\(at + 1): a thread may outlive what it does not own")
                guard line.contains("@unchecked " + "Sendable") || line.contains("nonisolated" + "(unsafe)") else {
                    continue
                }
                let near = lines[max(0, at - 4)..<min(lines.count, at + 4)]
                #expect(
                    near.contains { $0.contains("// SAFETY: ") }, "\(file):\(at + 1) needs a comment with SAFETY:")
            }
        }
    }

    /// Files of the head that may have an address: each asserts the bounds of what it does with it.
    private static let addresses: Set = ["ChunkView", "Decimal", "FixedBuffer", "Lock", "TimeRun"]

    @Test("memory of the head is reached through accessors that assert their bounds")
    func addresses() throws {
        for file in try ProjectFiles.swiftFiles("Sources/Storage/Head") {
            let name = file.split(separator: "/").last?.dropLast(".swift".count)
            if let name, Self.addresses.contains(String(name)) { continue }
            let hasAddress = try ProjectFiles.text(file).contains(/Unsafe(Mutable)?Pointer</)
            #expect(!hasAddress, "\(file) has an address: use FixedBuffer, Column or ElementReference")
        }
    }

    @Test("no drawer for everything")
    func names() throws {
        for file in try ProjectFiles.swiftFiles("Sources") {
            let name = file.split(separator: "/").last.map(String.init) ?? ""
            for drawer in ["Util", "Helper", "Misc", "Common"] {
                #expect(!name.contains(drawer), "\(file): name it after its subject")
            }
        }
    }

    @Test("committed text names no path of a build machine")
    func paths() throws {
        let folders = [
            "Sources", "Tests", "deploy", "docs", "scripts", "rules", "dashboards", "examples", "README.md",
            "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
        ]
        for folder in folders {
            let base = ProjectFiles.root + "/" + folder
            let files = FileManager.default.enumerator(atPath: base)?.compactMap { $0 as? String } ?? [""]
            for file in files.isEmpty ? [""] : files {
                let path = file.isEmpty ? base : base + "/" + file
                guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { continue }
                #expect(!text.contains("/" + "work/"), "\(folder)/\(file) names a path of a build machine")
            }
        }
    }

    @Test("every relative link in the documents leads somewhere")
    func links() throws {
        let pages =
            FileManager.default.enumerator(atPath: ProjectFiles.root + "/docs")?.compactMap { $0 as? String } ?? []
        let own = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
        let documents = pages.map { "docs/" + $0 } + own
        for document in documents where document.hasSuffix(".md") {
            let text = try ProjectFiles.text(document)
            let folder = document.split(separator: "/").dropLast().map { $0 + "/" }.joined()
            for match in text.matches(of: /\]\(([^)#:]+)(#[^)]*)?\)/) {
                let target = ProjectFiles.root + "/" + folder + match.1
                #expect(FileManager.default.fileExists(atPath: target), "\(document) links to \(match.1)")
            }
        }
    }
}
