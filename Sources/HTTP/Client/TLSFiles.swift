import Config
import Platform
import Synchronization

/// The contents of `ca_file`, `cert_file` and `key_file`; empty where the configuration names none.
struct TLSFiles: Sendable, Equatable {
    var authorities: [UInt8] = []
    var certificate: [UInt8] = []
    var key: [UInt8] = []
}

/// Reads the files of one `tls_config`, and reads them again after they have changed.
///
/// curl would read them in the thread that runs all requests.
final class TLSFileReader: Sendable {
    private typealias Version = [FileStamp?]
    private typealias Kept = (version: Version, files: TLSFiles)

    private let config: TLSClientConfig
    private let kept = Mutex<Kept?>(nil)
    /// The largest file that is accepted.
    ///
    /// curl accepts at most 8 MB.
    private static let maxSize = 4 << 20

    init(_ config: TLSClientConfig) { self.config = config }

    /// Returns the current contents of the files.
    func read() async throws(TransferFailure) -> TLSFiles {
        // The versions are read before the contents, so that the next check notices a change in between.
        var version: Version = []
        for (name, path) in [
            ("ca_file", config.caFile), ("cert_file", config.certFile), ("key_file", config.keyFile),
        ] {
            version.append(try await Self.version(name, path))
        }
        if let kept = kept.withLock({ $0 }), kept.version == version { return kept.files }
        let files = TLSFiles(
            authorities: try await Self.content("ca_file", config.caFile),
            certificate: try await Self.content("cert_file", config.certFile),
            key: try await Self.content("key_file", config.keyFile))
        kept.withLock { $0 = (version, files) }
        return files
    }

    private static func version(_ name: String, _ path: String) async throws(TransferFailure) -> FileStamp? {
        guard !path.isEmpty else { return nil }
        do throws(ConfigError) {
            return try await ConfigFile.version(of: path)
        } catch {
            throw failure(name, path, error)
        }
    }

    private static func failure(_ name: String, _ path: String, _ error: ConfigError) -> TransferFailure {
        TransferFailure(.setup, "unable to read \(name) \(path): \(error.message)")
    }

    private static func content(_ name: String, _ path: String) async throws(TransferFailure) -> [UInt8] {
        guard !path.isEmpty else { return [] }
        let bytes: [UInt8]
        do throws(ConfigError) {
            bytes = try await ConfigFile.content(of: path)
        } catch {
            throw failure(name, path, error)
        }
        // Without trusted certificates, the system's authorities must not be trusted instead.
        if bytes.isEmpty || bytes.count > maxSize {
            throw TransferFailure(.setup, "\(name) \(path) is \(bytes.isEmpty ? "empty" : "larger than 4 MiB")")
        }
        return bytes
    }
}
