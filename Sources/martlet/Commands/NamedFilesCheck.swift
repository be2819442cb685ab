import Config
import Discovery
import Glibc
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

    private static func check(_ client: HTTPClientConfig, of owner: String, path: String) throws {
        func require(_ file: String, _ what: String) throws {
            if !file.isEmpty, access(file, R_OK) != 0 {
                throw ConfigError(
                    file: path,
                    message: "error checking \(what) file \(GoQuote.quote(file)) of \(owner): "
                        + String(cString: strerror(errno)))
            }
        }
        try require(client.authorization?.credentialsFile ?? "", "authorization credentials or bearer token")
        try require(client.tls.caFile, "CA")
        try require(client.tls.certFile, "client cert")
        try require(client.tls.keyFile, "client key")
        // These may come later: they are read for each request.
        let later =
            [client.basicAuth?.usernameFile ?? "", client.basicAuth?.passwordFile ?? ""]
            + client.headers.flatMap(\.files)
        for file in later where !file.isEmpty && access(file, R_OK) != 0 {
            print(
                "  WARNING: file \(GoQuote.quote(file)) of \(owner) cannot be read: \(String(cString: strerror(errno)))"
            )
        }
    }
}
