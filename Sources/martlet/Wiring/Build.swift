import API

/// Which build this is.
enum Build {
    static let version = "0.1.0"
    static let information = BuildInformation(version: "3.5.0+martlet." + version, revision: "")

    static var text: String { "martlet, version \(version)\n  platform: linux\n  prometheus API: 3.5" }
}
