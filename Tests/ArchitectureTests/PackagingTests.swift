import Foundation
import Testing

/// The scripts of `make install` and `make image`, run on small stand-ins for the binary and its root file system.
@Suite("Packaging")
struct PackagingTests {
    private static func temporary() throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Runs a program of the project: its exit status, and what it prints.
    private static func run(
        _ words: [String], environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.currentDirectoryURL = URL(fileURLWithPath: ProjectFiles.root)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private static func files(_ folder: String) -> [String] {
        let paths = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        var isFolder: ObjCBool = false
        return paths.filter {
            FileManager.default.fileExists(atPath: folder + "/" + $0, isDirectory: &isFolder) && !isFolder.boolValue
        }.sorted()
    }

    @Test("install places everything below DESTDIR, keeps configuration, and uninstall leaves only that")
    func install() throws {
        let root = try Self.temporary()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let environment = ["DESTDIR": root, "prefix": "/opt/m", "sysconfdir": "/opt/etc", "unitdir": "/opt/units"]
        func script(_ action: String) throws {
            let result = try Self.run(["scripts/install.sh", action, "Makefile"], environment: environment)
            #expect(result.status == 0, "\(result.output)")
        }
        try script("install")
        let placed = Self.files(root)
        for name in [
            "opt/m/bin/martlet", "opt/units/martlet.service", "opt/etc/martlet/martlet.yml", "opt/etc/default/martlet",
            "opt/m/share/martlet/rules/host.yml", "opt/m/share/martlet/dashboards/host.json",
            "opt/m/share/doc/martlet/deploying.md",
        ] { #expect(placed.contains(name), "\(name) is not installed") }
        let unit = try String(contentsOfFile: root + "/opt/units/martlet.service", encoding: .utf8)
        #expect(unit.contains("ExecStart=/opt/m/bin/martlet --config.file=/opt/etc/martlet/martlet.yml "))
        #expect(unit.contains("EnvironmentFile=-/opt/etc/default/martlet"))
        #expect(!unit.contains("/usr/") && !unit.contains("=/etc/"))

        let own = "# changed\n"
        try own.write(toFile: root + "/opt/etc/martlet/martlet.yml", atomically: true, encoding: .utf8)
        try script("install")
        #expect(try String(contentsOfFile: root + "/opt/etc/martlet/martlet.yml", encoding: .utf8) == own)
        #expect(Self.files(root) == placed)
        try script("uninstall")
        #expect(Self.files(root) == ["opt/etc/default/martlet", "opt/etc/martlet/martlet.yml"])
    }

    @Test("an image archive is the same for the same files, checks out, and a changed byte in it does not")
    func imageArchive() throws {
        let work = try Self.temporary()
        defer { try? FileManager.default.removeItem(atPath: work) }
        let files = FileManager.default
        try files.createDirectory(atPath: work + "/root/var/lib/martlet", withIntermediateDirectories: true)
        try files.createDirectory(atPath: work + "/root/usr/bin", withIntermediateDirectories: true)
        try "binary".write(toFile: work + "/root/usr/bin/martlet", atomically: true, encoding: .utf8)
        for name in ["a", "b"] {
            let result = try Self.run([
                "python3", "scripts/image-archive.py", work + "/root", "deploy/Dockerfile", "\(work)/\(name).tar",
                "amd64", "1700000000",
            ])
            #expect(result.status == 0, "\(result.output)")
        }
        let archive = try #require(files.contents(atPath: work + "/a.tar"))
        #expect(archive == files.contents(atPath: work + "/b.tar"))

        func check(_ data: Data) throws -> (status: Int32, output: String) {
            try data.write(to: URL(fileURLWithPath: work + "/c.tar"))
            return try Self.run(["python3", "scripts/image-check.py", work + "/c.tar"])
        }
        let good = try check(archive)
        #expect(good.status == 0 && good.output.contains("user 65532:65532"), "\(good.output)")
        // The layer, the configuration and the manifest: each has a name of 64 digits in front of its bytes.
        let unpacked = try Self.run(["tar", "-C", work, "-xf", work + "/a.tar"])
        #expect(unpacked.status == 0)
        let blobs = try files.contentsOfDirectory(atPath: work + "/blobs/sha256")
        #expect(blobs.count == 3)
        for blob in blobs {
            let sum = try Self.run(["sha256sum", "\(work)/blobs/sha256/\(blob)"])
            #expect(sum.output.hasPrefix(blob))
            let content = try #require(files.contents(atPath: "\(work)/blobs/sha256/\(blob)"))
            let place = try #require(archive.range(of: content))
            var damaged = archive
            damaged[place.lowerBound + content.count / 2] ^= 1
            let refused = try check(damaged)
            #expect(refused.status != 0 && refused.output.contains("digest"), "\(refused.output)")
        }
        let listed = try Self.run([
            "sh", "-c", "for f in \(work)/blobs/sha256/*; do tar -tvzf $f 2>/dev/null; done; true",
        ])
        let owner = listed.output.split(separator: "\n").first { $0.contains("var/lib/martlet") }
        #expect(owner?.contains("65532/65532") == true, "\(listed.output)")
        #expect(listed.output.contains("0/0") && listed.output.contains("usr/bin/martlet"))
    }

    @Test("the last stage of the Dockerfile is what the archive's configuration says")
    func imageConfiguration() throws {
        let code =
            "import sys, json; sys.path.insert(0, 'scripts'); "
            + "m = __import__('image-archive'); print(json.dumps(m.configuration('deploy/Dockerfile'), sort_keys=True))"
        let result = try Self.run(["python3", "-B", "-c", code])
        let config = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        #expect(config["User"] as? String == "65532:65532")
        #expect(config["Entrypoint"] as? [String] == ["/usr/bin/martlet"])
        #expect((config["Volumes"] as? [String: Any])?.keys.sorted() == ["/var/lib/martlet"])
        let check = try #require(config["Healthcheck"] as? [String: Any])
        #expect((check["Test"] as? [String])?.prefix(2) == ["CMD", "/usr/bin/martlet"])
        #expect(check["Interval"] as? Int == 30_000_000_000 && check["StartPeriod"] as? Int == 60_000_000_000)
    }

    @Test("make help lists every packaging target")
    func help() throws {
        let help = try Self.run(["make", "-s", "help"]).output
        for target in ["install", "uninstall", "deb", "image", "manifests"] {
            #expect(help.contains(try Regex("(?m)^\(target) +[a-z]")), "\(target)")
        }
    }
}
