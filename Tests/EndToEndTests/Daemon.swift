import Foundation
import Glibc
import TestSupport
import Testing

/// A process that a test starts and surely ends.
final class Daemon {
    let process: Process
    let port: UInt16
    let probe: HTTPProbe
    private let log: URL

    /// Starts `binary`; its output goes to a file that ``logText`` reads.
    ///
    /// - Parameter environment: Variables beside the test's own.
    init(
        _ binary: String, _ arguments: [String], port: UInt16, folder: URL, environment: [String: String] = [:]
    ) throws {
        self.port = port
        probe = HTTPProbe(port: port)
        log = try Self.logFile(binary, folder)
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        process = Process()
        process.executableURL = URL(fileURLWithPath: binary)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.currentDirectoryURL = folder
        let handle = try FileHandle(forWritingTo: log)
        process.standardOutput = handle
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    /// Where the output goes: a file in a folder of the running test below `MARTLET_TEST_LOGS`, from where
    /// scripts/test_report.py shows it if the test fails; without that variable a file in `folder`.
    private static func logFile(_ binary: String, _ folder: URL) throws -> URL {
        let name = "\(URL(fileURLWithPath: binary).lastPathComponent)-\(UUID().uuidString).txt"
        guard let logs = ProcessInfo.processInfo.environment["MARTLET_TEST_LOGS"], let test = Test.current else {
            return folder.appendingPathComponent("log-" + name)
        }
        let characters = test.id.description.unicodeScalars.map { character in
            character.isASCII && (character == "." || character.properties.isAlphabetic || ("0"..."9" ~= character))
                ? Character(character) : "_"
        }
        let ofTest = URL(fileURLWithPath: logs).appendingPathComponent(String(characters.prefix(200)))
        try FileManager.default.createDirectory(at: ofTest, withIntermediateDirectories: true)
        return ofTest.appendingPathComponent(name)
    }

    /// The real binary that this checkout built.
    static var martlet: String {
        ProcessInfo.processInfo.environment["MARTLET_BINARY"] ?? SharedFolder.projectRoot + "/.build/debug/martlet"
    }

    var logText: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// Asks until `condition` holds; false after `seconds`.
    static func wait(_ seconds: Double = 30, until condition: () throws -> Bool) rethrows -> Bool {
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            if try condition() { return true }
            usleep(20_000)
        }
        return false
    }

    func waitReady(_ seconds: Double = 30) -> Bool {
        Self.wait(seconds) { probe.get("/-/ready")?.status == 200 }
    }

    func kill9() {
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// SIGTERM, then the exit status.
    @discardableResult
    func terminate() -> Int32 {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        return process.terminationStatus
    }

    deinit {
        if process.isRunning {
            Glibc.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }
}

/// A folder that goes away with the test.
final class Folder {
    private let temporary: TemporaryFolder
    var url: URL { URL(fileURLWithPath: temporary.path) }

    init() throws {
        temporary = try TemporaryFolder()
    }

    func write(_ name: String, _ text: String) throws -> String {
        let file = url.appendingPathComponent(name)
        try text.write(to: file, atomically: true, encoding: .utf8)
        return file.path
    }
}
