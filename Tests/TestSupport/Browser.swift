import Foundation
import Glibc

/// Chromium without a window, with a page; it ends with this object.
package final class Browser {
    /// Whether this machine has the browser.
    package static var isPossible: Bool { access(path, X_OK) == 0 }

    private static let path = "/usr/bin/chromium"
    private let profile: TemporaryFolder
    private let process = Process()

    package init(_ address: String) throws {
        profile = try TemporaryFolder()
        process.executableURL = URL(fileURLWithPath: Self.path)
        process.arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--remote-debugging-port=0", "--user-data-dir=\(profile.path)",
            "--window-size=1600,1000", address,
        ]
        process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": profile.path]) { $1 }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
    }
}
