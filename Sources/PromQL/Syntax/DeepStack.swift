import Glibc

/// Room on the stack for work that recurses as deeply as a query's text is nested.
enum DeepStack {
    /// Bytes of stack of a level that encloses another, in unoptimised code.
    private static let perLevel = 16 << 10
    /// Bytes of stack of an operator in a chain.
    private static let perOperator = 6 << 10
    /// What a thread that parses or evaluates has at least.
    private static let inline = 4 << 20
    /// More than the highest tree needs that the parser lets pass.
    private static let most = 128 << 20

    /// Runs `body` on this thread if what is nested in `text` cannot be deep, else on one with a stack for it.
    ///
    /// - Returns: The body's result; nil if the system refuses a thread.
    static func run<R>(for text: String, _ body: () -> R) -> R? {
        // A byte nests one level at most.
        if text.utf8.count * perLevel <= inline || need(of: text) <= inline { return body() }
        return onOwnThread(body)
    }

    /// Bytes of stack that a text may need; rather too many than too few.
    private static func need(of text: String) -> Int {
        // What closes is not counted: it may stand in a string.
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
                // How `or`, `and`, `unless` and `atan2` end.
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

    private final class Job {
        let work: () -> Void
        init(_ work: @escaping () -> Void) { self.work = work }
    }

    private static func onOwnThread<R>(_ body: () -> R) -> R? {
        var result: R?
        // The thread is joined before this returns, so that the closure does not escape.
        let isStarted = withoutActuallyEscaping(body) { body in
            let job = Unmanaged.passRetained(Job { result = body() })
            var attributes = pthread_attr_t()
            pthread_attr_init(&attributes)
            defer { pthread_attr_destroy(&attributes) }
            pthread_attr_setstacksize(&attributes, most)
            var thread = pthread_t()
            guard pthread_create(&thread, &attributes, { deepStackMain($0) }, job.toOpaque()) == 0 else {
                job.release()
                return false
            }
            pthread_join(thread, nil)
            return true
        }
        return isStarted ? result : nil
    }

    fileprivate static func run(_ raw: UnsafeMutableRawPointer?) {
        guard let raw else { return }
        Unmanaged<Job>.fromOpaque(raw).takeRetainedValue().work()
    }
}

/// Top level, because a closure handed to C must carry no isolation check.
private func deepStackMain(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    DeepStack.run(raw)
    return nil
}
