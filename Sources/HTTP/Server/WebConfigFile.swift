import Config
import Platform

/// A web configuration file as it was read once, with its version.
package struct WebConfigFile: Sendable {
    package let path: String
    /// The version is older than the content, so that the next check notices a change between the two.
    let stamp: Result<FileStamp?, ConfigError>
    package let config: Result<WebConfig, ConfigError>

    /// Reads the file, but not the files that it names.
    package init(path: String) {
        self.path = path
        stamp = Result { () throws(ConfigError) in try ConfigFile.versionNow(of: path) }
        config = Result { () throws(ConfigError) in try WebConfig.load(path: path) }
    }

    /// Whether the file can be used and has a TLS section.
    package var servesTLS: Bool { (try? config.get())?.tls != nil }
}
