import Config
import Discovery
import Glibc
import HTTP
import Model

/// Checks the files that a configuration names besides rules: credentials, TLS and files of targets, as promtool does.
enum NamedFilesCheck {
    /// - Throws: ``ConfigError`` for the first file that must be there and is not, or that cannot be read.
    static func run(_ configuration: Configuration, path: String) throws {
        var clients: [(HTTPClientConfig, String)] = []
        for job in configuration.scrapeConfigs {
            clients.append((job.client, "job \(GoQuote.quote(job.jobName))"))
            clients += job.httpDiscovery.map { ($0.client, "http_sd of job \(GoQuote.quote(job.jobName))") }
        }
        clients += configuration.alerting.alertmanagers.map { ($0.client, "an Alertmanager") }
        for (client, owner) in clients { try check(client, of: owner, path: path) }
        for job in configuration.scrapeConfigs {
            for pattern in job.fileDiscovery.flatMap(\.files) {
                let files = FileGlob.expand(pattern)
                if files.isEmpty {
                    print(
                        "  WARNING: file \(GoQuote.quote(pattern)) for file_sd in scrape job "
                            + "\(GoQuote.quote(job.jobName)) does not exist")
                }
                for file in files { _ = try FileDiscoverer.groups(file) }
            }
        }
    }

    /// What messages call the files that must be there from the start; others are read for each request and may come
    /// later.
    private static let required = [
        "credentials_file": "authorization credentials or bearer token", "ca_file": "CA", "cert_file": "client cert",
        "key_file": "client key",
    ]

    private static func check(_ client: HTTPClientConfig, of owner: String, path: String) throws {
        for file in client.files where access(file.path, R_OK) != 0 {
            let (name, reason) = (GoQuote.quote(file.path), String(cString: strerror(errno)))
            if let what = required[file.key] {
                throw ConfigError(
                    file: path, message: "error checking \(what) file \(name) of \(owner): \(reason)")
            }
            print("  WARNING: file \(name) of \(owner) cannot be read: \(reason)")
        }
    }
}
