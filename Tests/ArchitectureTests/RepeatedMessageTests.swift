import Testing

/// Log messages whose rate others determine: targets, clients, discovered lists and receivers.
@Suite("Repeated log messages")
struct RepeatedMessageTests {
    /// The directories of code that runs as often as others like.
    static let directories = ["API", "Discovery", "HTTP", "Notify", "Remote", "Rules", "Scrape", "Web"]

    /// Messages that the daemon limits in another way, or that it causes itself.
    static let exceptions: Set<String> = [
        // Once a minute.
        "Scraping is behind schedule: the machine is too slow for this many targets, or the clock was changed",
        // When a file of the configuration was changed.
        "The web configuration cannot be checked; the last version stays in use",
        "Unable to parse configuration; requests are refused",
        "The web configuration has no TLS section; connections are refused",
        "The web configuration has a TLS section now; a restart enables TLS",
        "Unable to use the TLS configuration; connections are refused",
        // At a start, or after one.
        "The HTTP client library could not be started; nothing will be scraped",
        "These queries didn't finish in the last run",
        "Running queries are not noted",
        "Failed to restore 'for' state",
        // After a new configuration.
        "Marking series of removed rules failed",
        // When the file is written well again, or at a set interval.
        "The notification log cannot be written; missing records will be added as soon as possible",
        "Compacting the notification log failed",
    ]

    @Test("a message whose rate others determine is logged with its subject, so that it is limited")
    func limited() throws {
        var seen: Set<String> = []
        for directory in Self.directories {
            for file in try ProjectFiles.swiftFiles("Sources/" + directory) where !file.contains("/Ledger/") {
                let calls = try ProjectFiles.text(file).matches(
                    of: /(?:[lL]og|logger|Log\("[a-z ]+"\))\.(?:warn|error)\(\s*(?:"((?:[^"\\]|\\.)*)"(,\s*about:)?)?/)
                for call in calls {
                    guard let message = call.output.1.map(String.init) else {
                        Issue.record("\(file) logs a message that is not constant")
                        continue
                    }
                    seen.insert(message)
                    let isLimited = call.output.2 != nil
                    #expect(
                        isLimited != Self.exceptions.contains(message),
                        "\(file): \"\(message)\" needs `about:`, or a reason here why it does not repeat")
                }
            }
        }
        #expect(Self.exceptions.subtracting(seen) == [])
        #expect(seen.count > Self.exceptions.count + 10)
    }
}
