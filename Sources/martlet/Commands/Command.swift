import Glibc
import Platform

/// Finds the command that the first words name, and runs it.
enum Command {
    /// The exit status: 0 for success, 1 for failure, 2 for a command line or configuration that cannot be used.
    static func run(_ words: [String]) -> Int32 {
        // Lines come in the order they were written in, also where both outputs go to one file.
        defer { fflush(nil) }
        do {
            switch words.first {
            case "serve": return try ServeCommand.run(Array(words.dropFirst()))
            case "check": return try CheckCommand.run(Array(words.dropFirst()))
            case "test": return try TestCommand.run(Array(words.dropFirst()))
            case "query": return try QueryCommand.run(Array(words.dropFirst()))
            case "tsdb": return try TSDBCommand.run(Array(words.dropFirst()))
            case "version":
                print(ProductVersion.text)
                return 0
            case "help":
                print(usage)
                return 0
            case let word? where !word.hasPrefix("-"):
                throw CommandLineError(description: "unknown command \"\(word)\"")
            default: return try ServeCommand.run(words)
            }
        } catch let error as CommandLineError {
            complain("Error parsing command line arguments: \(error)")
            print(usage)
            return 2
        } catch {
            complain("error: \(error)")
            return 1
        }
    }

    /// Writes a line to standard error.
    static func complain(_ text: String) {
        fflush(nil)
        var line = text + "\n"
        line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }

    static let usage = """
        usage: martlet [serve] [FLAGS]                         the daemon
               martlet check config|rules|metrics|alerting|web-config FILE…
               martlet query instant|range|series|labels SERVER …
               martlet test rules|promql FILE…
               martlet tsdb list|analyze|dump|verify|import|export|create-blocks-from …
               martlet version

        martlet serve --help lists the daemon's flags.
        """
}
