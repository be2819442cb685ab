import Config
import Foundation
import TestSupport
import Testing

@testable import martlet

/// What `deploy/` holds and `docs/deploying.md` says, held against flags, commands and configuration that there are.
@Suite("Deployment")
struct DeploymentTests {
    /// Reads a command line as the daemon does.
    private static func options(_ words: [String]) throws -> ParsedFlags {
        let flags = try ServerFlags.set.parse(words)
        #expect(flags.positional.isEmpty, "\(flags.positional)")
        #expect(flags.ignored.isEmpty, "\(flags.ignored)")
        _ = try DaemonOptions(flags)
        return flags
    }

    private static func words(_ text: String) -> [String] { text.components(separatedBy: " ") }

    /// Values of a key of a unit file or of a shell's variable, by line.
    private static func values(_ key: String, in text: String) -> [String] {
        text.split(separator: "\n").filter { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
    }

    /// Checks a configuration whose files are in a folder of their own, instead of in `/etc/martlet`.
    private static func check(_ files: [(name: String, text: String)]) throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path
        for (name, text) in files {
            try text.replacingOccurrences(of: "/etc/martlet/", with: folder + "/")
                .write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
        }
        for (name, _) in files {
            let kind = name == "martlet.yml" ? "config" : name == "alerting.yml" ? "alerting" : "rules"
            #expect(Command.run(["check", kind, folder + "/" + name]) == 0, "\(name)")
        }
    }

    @Test("the unit's command is one of the daemon's, and so are the flags in its defaults")
    func unit() throws {
        let unit = try SourceText.file("deploy/systemd/martlet.service")
        let command = try #require(Self.values("ExecStart", in: unit).first)
        let defaults = try SourceText.file("deploy/systemd/martlet.default")
        let given = try #require(Self.values("ARGS", in: defaults).first).trimmingCharacters(in: ["\""])
        #expect(command.hasPrefix("/usr/bin/martlet --") && command.hasSuffix(" $ARGS"))
        let flags = try Self.options(Self.words(command).dropFirst().dropLast() + Self.words(given))
        #expect(flags.text("config.file") == "/etc/martlet/martlet.yml")
        #expect(flags.text("storage.tsdb.path") == "/var/lib/" + Self.values("StateDirectory", in: unit).joined())
        // Nobody asked for the store to be open to others.
        #expect(flags.all("web.listen-address").allSatisfy { $0.hasPrefix("127.0.0.1:") })
        for match in defaults.matches(of: /(?m)^# ARGS="([^"]+)"$/) {
            _ = try Self.options(Self.words(String(match.1)))
        }
        #expect(Self.values("EnvironmentFile", in: unit) == ["-/etc/default/martlet"])
        let script = try SourceText.file("scripts/install.sh")
        #expect(
            script.contains(#""$sysconfdir/martlet/martlet.yml""#) && script.contains(#""$sysconfdir/default/martlet""#)
        )
    }

    @Test(
        "the unit's exposure is 2.0 at most",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze"), "needs systemd-analyze"))
    func exposure() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/systemd-analyze")
        process.arguments = [
            "security", "--offline=true", "--threshold=20", "--no-pager",
            SourceText.root + "/deploy/systemd/martlet.service",
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
    }

    @Test("the configuration that is installed is one")
    func configuration() throws {
        try Self.check([("martlet.yml", try SourceText.file("deploy/martlet.yml"))])
    }

    @Test("the image's command and health check are the binary's")
    func image() throws {
        let file = try SourceText.file("deploy/Dockerfile")
        func array(_ line: Regex<(Substring, Substring)>) throws -> [String] {
            let match = try #require(file.firstMatch(of: line))
            return try JSONDecoder().decode([String].self, from: Data(match.1.utf8))
        }
        #expect(try array(/(?m)^ENTRYPOINT (\[.+\])$/) == ["/usr/bin/martlet"])
        let flags = try Self.options(try array(/(?m)^CMD (\[.+\])$/))
        #expect(file.contains("VOLUME \(flags.text("storage.tsdb.path"))\n"))
        let rootfs = try SourceText.file("scripts/image-rootfs.sh")
        #expect(rootfs.contains("$root\(flags.text("config.file"))") && rootfs.contains("$root/usr/bin/martlet"))
        let check = try array(/(?m)^HEALTHCHECK .*CMD (\[.+\])$/)
        #expect(check.prefix(3) == ["/usr/bin/martlet", "query", "instant"])
        // No server answers at port 1: the command is understood (2 would be a wrong command line) and fails.
        #expect(Command.run(["query", "instant", "http://127.0.0.1:1", try #require(check.last)]) == 1)
    }

    @Test("the manifests' flags, files, ports, volumes and times fit together", arguments: ["sidecar", "server"])
    func manifest(_ name: String) throws {
        let manifest = try Manifest("deploy/kubernetes/\(name).yaml")
        let container = try manifest.container("martlet")
        let flags = try Self.options(container.strings("args"))
        let mounts = container.list("volumeMounts")
        for path in [flags.text("config.file"), flags.text("storage.tsdb.path")] {
            #expect(mounts.contains { path.hasPrefix($0.string("mountPath")) }, "\(path) is in no volume")
        }
        for mount in mounts {
            #expect(manifest.volumes.contains(mount.string("name")), "no volume \(mount.string("name"))")
        }
        let data = mounts.first { flags.text("storage.tsdb.path").hasPrefix($0.string("mountPath")) }
        #expect(data?["readOnly"] == nil)

        let ports = container.list("ports")
        #expect(flags.all("web.listen-address") == ["0.0.0.0:" + (ports.first?.string("containerPort") ?? "")])
        let served = try SourceText.file("Sources/API/APIRoutes.swift")
        for kind in ["startupProbe", "readinessProbe", "livenessProbe"] {
            guard let probe = container[kind]?["httpGet"] else {
                #expect(kind == "readinessProbe" && name == "sidecar", "no \(kind)")
                continue
            }
            #expect(served.contains("add([\"GET\"], \"\(probe.string("path"))\")"), "\(probe.string("path"))")
            #expect(ports.map { $0.string("name") } == [probe.string("port")])
        }
        let grace = try #require(Int64(manifest.pod.string("terminationGracePeriodSeconds")))
        #expect(grace * 1000 >= 2 * flags.duration("shutdown.grace-period"))
        #expect(container["securityContext"]?.string("readOnlyRootFilesystem") == "true")
        #expect(manifest.pod["securityContext"]?.string("runAsUser") == "65532")
        if name == "sidecar" {
            let limits = container["resources"]?["limits"]
            #expect(limits?.string("memory") == "32Mi" && limits?.string("cpu") == "50m")
        }

        let files = try manifest.files()
        #expect(files.contains { $0.name == "martlet.yml" })
        for flag in ["config.file", "alerting.config.file"] where !flags.text(flag).isEmpty {
            #expect(files.contains { "/etc/martlet/" + $0.name == flags.text(flag) }, "--\(flag)")
        }
        try Self.check(files)
        // Each variable of the configuration is in the container's environment.
        let known = Set(container.list("env").map { $0.string("name") })
        let variables = files.filter { $0.name == "martlet.yml" }.flatMap { $0.text.matches(of: /\$\{([A-Z_]+)\}/) }
        #expect(Set(variables.map { String($0.1) }) == known)
    }

    @Test("the targets, files, scripts and flags that docs/deploying.md names exist")
    func page() throws {
        let page = try SourceText.file("docs/deploying.md")
        let makefile = try SourceText.file("Makefile")
        let targets = page.matches(of: /\bmake ([a-z]+)/).map { String($0.1) }
        #expect(Set(targets).isSuperset(of: ["build", "install", "uninstall", "deb", "image", "manifests"]))
        for target in targets {
            #expect(makefile.contains(try Regex("(?m)^\(target):.* ## ")), "make \(target) is not in `make help`")
        }
        for match in page.matches(of: /(?:deploy|scripts)\/[A-Za-z0-9\/.-]*[A-Za-z]/) {
            #expect(FileManager.default.fileExists(atPath: SourceText.root + "/" + match.0), "\(match.0)")
        }
        for match in page.matches(of: /`--([a-z.-]+)`/) {
            #expect(ServerFlags.set.flags.contains { $0.name == match.1 }, "--\(match.1)")
        }
        for match in page.matches(of: /(?m)^martlet ([a-z]+) ([a-z]+)/) { #expect(match.0 == "martlet check config") }
        for name in ["README.md", "CHANGELOG.md"] {
            #expect(try SourceText.file(name).contains("docs/deploying.md"), "\(name)")
        }
    }
}

/// A file of Kubernetes objects, one of which has a pod.
private struct Manifest {
    private let documents: [YAMLNode]
    let pod: YAMLNode

    init(_ path: String) throws {
        let text = try SourceText.file(path)
        documents = try text.components(separatedBy: "\n---\n").compactMap {
            try YAMLParser.parse(Array($0.utf8), file: path)
        }
        let pods = documents.compactMap { $0["spec"]?["template"]?["spec"] }
        pod = try #require(pods.first)
    }

    func container(_ name: String) throws -> YAMLNode {
        let containers = pod.list("containers") + pod.list("initContainers")
        return try #require(containers.first { $0.string("name") == name })
    }

    /// Names of the pod's volumes and of the claims that its set makes.
    var volumes: Set<String> {
        let claims = documents.flatMap { $0["spec"]?.list("volumeClaimTemplates") ?? [] }
        return Set(pod.list("volumes").map { $0.string("name") } + claims.map { $0["metadata"]?.string("name") ?? "" })
    }

    /// The files of the ConfigMap that the pod mounts.
    func files() throws -> [(name: String, text: String)] {
        let name = pod.list("volumes").compactMap { $0["configMap"]?.string("name") }.first
        let map = documents.first { $0["kind"]?.text == "ConfigMap" && $0["metadata"]?.string("name") == name }
        let members = try #require(map?["data"]?.members)
        return members.compactMap { key, value in
            guard let key = key.text, let value = value.text else { return nil }
            return (key, value)
        }
    }
}

extension YAMLNode {
    fileprivate func string(_ key: String) -> String { self[key]?.text ?? "" }
    fileprivate func list(_ key: String) -> [YAMLNode] { self[key]?.elements ?? [] }
    fileprivate func strings(_ key: String) -> [String] { list(key).compactMap(\.text) }
}
