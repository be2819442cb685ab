import Config
import Platform
import Synchronization

/// What `ca_file`, `cert_file` and `key_file` hold; empty where the configuration names none.
struct TLSFiles: Sendable, Equatable {
    var authorities: [UInt8] = []
    var certificate: [UInt8] = []
    var key: [UInt8] = []
}

/// Reads the files of one `tls_config`, again when they have changed.
///
/// curl would open them itself, in the thread that carries all requests.
final class TLSFileReader: Sendable {
    private typealias Version = [FileStamp?]
    private typealias Kept = (version: Version, files: TLSFiles)

    private let config: TLSClientConfig
    private let kept = Mutex<Kept?>(nil)
    /// A larger file is an error: curl takes none of more than 8 MB.
    private static let maxSize = 4 << 20

    init(_ config: TLSClientConfig) { self.config = config }

    /// What the files hold now; blocks as long as they do.
    func read() throws(TransferFailure) -> TLSFiles {
        // Versions are taken before reading: a change in between is then noticed by the next look.
        let version = [config.caFile, config.certFile, config.keyFile].map { $0.isEmpty ? nil : FileStamp($0) }
        if let kept = kept.withLock({ $0 }), kept.version == version { return kept.files }
        let files = TLSFiles(
            authorities: try Self.content("ca_file", config.caFile),
            certificate: try Self.content("cert_file", config.certFile),
            key: try Self.content("key_file", config.keyFile))
        kept.withLock { $0 = (version, files) }
        return files
    }

    private static func content(_ name: String, _ path: String) throws(TransferFailure) -> [UInt8] {
        guard !path.isEmpty else { return [] }
        let bytes: [UInt8]
        do throws(ConfigError) {
            bytes = try ConfigFile.read(path)
        } catch {
            throw TransferFailure(.setup, "unable to read \(name) \(path): \(error.message)")
        }
        // With nothing to trust, the system's authorities must not be trusted instead.
        if bytes.isEmpty || bytes.count > maxSize {
            throw TransferFailure(.setup, "\(name) \(path) is \(bytes.isEmpty ? "empty" : "larger than 4 MiB")")
        }
        return bytes
    }
}
