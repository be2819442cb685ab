import Testing

/// The configuration's values held against the sources: nothing is accepted that nobody reads.
@Suite("Configuration keys")
struct ConfigurationKeyTests {
    /// Values that are read and obeyed without a reader outside of the module, each with the reason.
    private static let exempt: [String: String] = [
        "place": "for messages", "ownJobs": "what /api/v1/status/config shows", "goGC": "only shown",
        "convertClassicHistogramsToNHCB": "refused as not supported yet",
    ]

    @Test("every value of the configuration that is parsed is read outside of the parser")
    func read() throws {
        let files = ["Configuration.swift", "HTTPClientConfig.swift", "OAuth2Config.swift", "ProxyConfig.swift"]
        let readers = try ["API", "Discovery", "HTTP", "Notify", "Rules", "Scrape", "martlet"].map {
            try SourceText.swift("Sources/" + $0)
        }.joined()
        var count = 0
        for file in files {
            let text = try SourceText.file("Sources/Config/Prometheus/" + file)
            for match in text.matches(of: /package var ([A-Za-z0-9]+)/) {
                let name = String(match.1)
                count += 1
                if Self.exempt[name] != nil { continue }
                #expect(readers.contains("." + name), "\(file): \(name) is parsed, but nobody reads it")
            }
        }
        #expect(count > 60)
    }

    @Test("every key that is parsed and dropped is one of those that mean nothing here")
    func dropped() throws {
        // What Go's runtime and Prometheus's own files need: see docs/compatibility.md.
        let allowed: Set<String> = ["gogc", "stale_series_compaction_threshold"]
        let text = try SourceText.swift("Sources/Config/Prometheus")
        for match in text.matches(of: /_ = try [a-z]+\.[a-z]+\("([a-z_]+)"/) {
            let key = String(match.1)
            #expect(allowed.contains(key) || key == "write_relabel_configs", "\(key) is parsed and dropped")
        }
    }
}
