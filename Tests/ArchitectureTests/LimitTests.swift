import Testing

/// Limits on the length of files and functions and on the number of parameters, with lists of exceptions that shrink.
@Suite("Limits")
struct LimitTests {
    private static let fileLines = 500
    private static let functionLines = 70
    private static let parameters = 6

    /// Functions above 70 lines, by file and name: remove an entry when its function is shorter.
    private static let longFunctions: [String: Int] = [
        "Exposition/Text/DecimalNumber.swift parse": 90,
        "Exposition/Text/SeriesText.swift parse": 86,
        "Scrape/Append/ScrapeAppender.swift append": 98,
        "Storage/Head/BatchWriter.swift validate": 93,
    ]

    /// Parameter lists above 6, by file and name: remove an entry when its list is shorter.
    private static let manyParameters: [String: Int] = [
        "Encoding/Integers/PackedIntegers.swift restore": 7,
        "Rules/Group/RuleDefinition.swift init": 7,
        "Scrape/Append/ScrapeAppender+Protobuf.swift take": 8,
        "Storage/Head/BatchWriter.swift validate": 8,
        "Storage/Select/HeadSnapshot.swift copyOpen": 8,
        "Storage/StoreOptions.swift init": 14,
    ]

    @Test("no file is longer than one subject")
    func files() throws {
        for file in try ProjectFiles.swiftFiles("Sources") {
            let lines = try ProjectFiles.text(file).split(separator: "\n", omittingEmptySubsequences: false).count - 1
            #expect(lines <= Self.fileLines, "\(file) has \(lines) lines: split it by subject")
        }
    }

    /// The functions of all sources with the paths of their files.
    private static let all: [(file: String, function: SwiftScan.Function)] = {
        let files = (try? ProjectFiles.swiftFiles("Sources")) ?? []
        return files.flatMap { file in
            SwiftScan((try? ProjectFiles.text(file)) ?? "").functions().map { (file, $0) }
        }
    }()

    /// A number of each function, by file and name; of functions of the same name, the largest.
    private static func numbers(_ value: (SwiftScan.Function) -> Int) -> [String: Int] {
        var numbers: [String: Int] = [:]
        for (file, function) in all {
            numbers["\(file.dropFirst("Sources/".count)) \(function.name)", default: 0].raise(to: value(function))
        }
        #expect(numbers.count > 2000)
        return numbers
    }

    private static func check(_ found: [String: Int], limit: Int, exceptions: [String: Int], _ advice: String) {
        for (name, value) in found where value > limit {
            let allowed = exceptions[name] ?? limit
            #expect(value <= allowed, "\(name) has \(value), more than \(allowed): \(advice)")
        }
        for (name, _) in exceptions where found[name] ?? 0 <= limit {
            Issue.record("\(name) is within the limit: remove it from the exceptions")
        }
    }

    @Test("no function is longer than 70 lines without a reason")
    func lengths() {
        Self.check(
            Self.numbers { $0.isMarkedLong ? 0 : $0.lines }, limit: Self.functionLines,
            exceptions: Self.longFunctions, "split it, or write `// Long: ` and the reason above it")
    }

    @Test("no function has more than 6 parameters, but for initializers that only assign them")
    func parameterLists() {
        Self.check(
            Self.numbers { $0.isMemberwise ? 0 : $0.parameters }, limit: Self.parameters,
            exceptions: Self.manyParameters, "make a value of those that belong together")
    }

    @Test("the scan counts lines and parameters, whatever strings and comments have in them")
    func scan() {
        let text = #"""
            protocol P { // func no(
                func requirement(a: Int, b: (Int, Int)) throws
                var x: Int { get }
            }
            struct S {
                init(a: Int, b: Int) {
                    self.a = a
                    self.b = b
                }
                init<T>(_ c: T) { a = c.count }
                // Long: it is a table.
                static func table(
                    _ one: [Int: String] = [1: "}, \("{")"], two: () -> (Int, Int),
                    three: Int
                ) -> [(
                    Int, Int
                )] {
                    let brace = "{ \(nested("}")) " + #"" } "#
                    let text = """
                        " { {
                        """
                    return []
                }
                func empty() {}
                mutating func == (a: S) -> Bool {
                    func inner(_ x: Int) -> Int { x }
                    return true
                }
            }
            """#
        let found = SwiftScan(text).functions()
        #expect(found.map(\.name) == ["requirement", "init", "init", "table", "empty", "==", "inner"])
        #expect(found.map(\.parameters) == [2, 2, 1, 3, 0, 1, 1])
        #expect(found.map(\.lines) == [0, 4, 1, 12, 1, 4, 1])
        #expect(found.map(\.isMarkedLong) == [false, false, false, true, false, false, false])
        #expect(found.map(\.isMemberwise) == [false, true, false, false, false, false, false])
    }
}

extension Int {
    fileprivate mutating func raise(to value: Int) { self = Swift.max(self, value) }
}
