import Platform

/// Runs recursive work whose depth depends on a query's text with a sufficient stack.
enum DeepStack {
    /// The bytes of stack for a level that encloses another, in unoptimized code.
    private static let perLevel = 16 << 10
    /// The bytes of stack for an operator in a chain.
    private static let perOperator = 6 << 10
    /// The minimum stack of a thread that parses or evaluates.
    private static let inline = 4 << 20
    /// The maximum stack, which is more than the deepest tree that the parser accepts needs.
    private static let most = 128 << 20

    /// Runs `body` on this thread if `text` cannot be nested deeply, else on one with a sufficient stack.
    ///
    /// - Returns: The body's result; nil if the system refuses a thread.
    static func run<R>(for text: String, _ body: () -> R) -> R? {
        // A byte nests at most one level.
        if text.utf8.count * perLevel <= inline || need(of: text) <= inline { return body() }
        return onOwnThread(body)
    }

    /// The bytes of stack that a text may need; rather too many than too few.
    private static func need(of text: String) -> Int {
        // Closing characters are not counted, because they may be in a string.
        var (levels, operators) = (0, 0)
        var before: UInt8 = 0
        for byte in text.utf8 {
            let letter = byte | 0x20
            switch byte {
            case UInt8(ascii: "("), UInt8(ascii: "["): levels += 1
            case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"), UInt8(ascii: "%"),
                UInt8(ascii: "^"), UInt8(ascii: "="), UInt8(ascii: "<"), UInt8(ascii: ">"):
                operators += 1
            default:
                // The ends of `or`, `and`, `unless` and `atan2`.
                let ends =
                    switch letter {
                    case UInt8(ascii: "r"): before == UInt8(ascii: "o")
                    case UInt8(ascii: "d"): before == UInt8(ascii: "n")
                    case UInt8(ascii: "s"): before == UInt8(ascii: "s")
                    default: byte == UInt8(ascii: "2") && before == UInt8(ascii: "n")
                    }
                if ends { operators += 1 }
            }
            before = letter
        }
        return levels * perLevel + operators * perOperator
    }

    private static func onOwnThread<R>(_ body: () -> R) -> R? {
        // SAFETY: the thread is joined before this returns, so nothing uses the result or the closure afterwards.
        nonisolated(unsafe) var result: R?
        withoutActuallyEscaping(body) { body in
            nonisolated(unsafe) let body = body
            Thread.start("deep-query", stackSize: most) { result = body() }?.join()
        }
        return result
    }
}
