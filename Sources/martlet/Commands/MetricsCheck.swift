import Config
import Exposition
import Glibc
import Model

/// `martlet check metrics`: reads texts in an exposition format, and reports names that can be improved.
enum MetricsCheck {
    /// Checks the files, or standard input if there are none; returns 1 if a text cannot be read, 3 if there are
    /// findings.
    static func run(_ paths: [String], format: String, isLinted: Bool, isExtended: Bool) -> Int32 {
        guard isLinted || isExtended else {
            Command.complain("error: nothing to check with --lint=none and without --extended")
            return 1
        }
        var worst: Int32 = 0
        func take(_ status: Int32) { if worst != 1, status != 0 { worst = status } }
        if paths.isEmpty {
            take(check(readStandardInput(), name: nil, format: format, isLinted: isLinted, isExtended: isExtended))
        }
        for path in paths {
            do throws(ConfigError) {
                let page = try ConfigFile.readOnce(path)
                take(check(page, name: path, format: format, isLinted: isLinted, isExtended: isExtended))
            } catch {
                Command.complain("error while reading: \(error)")
                take(1)
            }
        }
        return worst
    }

    /// Checks one text; `name` is printed before each finding.
    static func check(_ page: [UInt8], name: String?, format: String, isLinted: Bool, isExtended: Bool) -> Int32 {
        let prefix = name.map { $0 + ": " } ?? ""
        do throws(ExpositionError) {
            if format == "openmetrics" || (format == "auto" && isOpenMetrics(page)) {
                try OpenMetricsValidator.validate(page)
                return 0
            }
            let (problems, cardinality) = try MetricLint.check(page)
            for problem in problems where isLinted { Command.complain("\(prefix)\(problem.metric) \(problem.text)") }
            if isExtended { printSizes(cardinality) }
            return problems.isEmpty || !isLinted ? 0 : 3
        } catch {
            Command.complain("\(prefix)error while linting: \(error.located)")
            return 1
        }
    }

    /// Whether the text ends as only OpenMetrics does.
    private static func isOpenMetrics(_ page: [UInt8]) -> Bool {
        let end = page.last == UInt8(ascii: "\n") ? page.dropLast() : page[...]
        return end.suffix(6).elementsEqual("\n# EOF".utf8) || end.elementsEqual("# EOF".utf8)
    }

    private static func printSizes(_ sizes: [MetricLint.Cardinality]) {
        let total = max(1, sizes.reduce(0) { $0 + $1.series })
        let width = max(6, sizes.map(\.metric.utf8.count).max() ?? 0)
        func pad(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.utf8.count) + 2)
        }
        print(pad("Metric", width) + pad("Cardinality", 11) + "Percentage")
        for size in sizes {
            let percent = (Double(size.series) / Double(total) * 10_000).rounded() / 100
            print(pad(size.metric, width) + pad("\(size.series)", 11) + "\(percent)%")
        }
    }

    private static func readStandardInput() -> [UInt8] {
        if isatty(0) != 0 { Command.complain("reading metrics from the terminal; end with Ctrl-D, or name files") }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(0, &buffer, buffer.count)
            guard count > 0 else { return bytes }
            bytes += buffer[0..<count]
        }
    }
}
