@testable import HTTP

/// What reads requests.
enum RequestTargets {
    /// Takes raw bytes as a connection does: heads and bodies, one after another; in one part and byte by byte.
    static func request(_ bytes: UnsafeRawBufferPointer) {
        let bytes = Array(bytes)
        let whole = outcome(bytes, step: max(1, bytes.count))
        let single = outcome(bytes, step: 1)
        precondition(whole == single, "cut differently: \(whole) and \(single)")
    }

    private static func outcome(_ bytes: [UInt8], step: Int) -> [String] {
        var seen: [String] = []
        var at = 0
        do throws(RequestRefusal) {
            while let length = try headLength(Array(bytes[at...]), step: step) {
                let head = try Array(bytes[at..<(at + length)]).withUnsafeBufferPointer { head throws(RequestRefusal) in
                    try RequestHeadParser.parse(head)
                }
                at += length
                seen.append("\(head.method) \(head.rawPath) \(head.framing) \(PathRules.judge(head.rawPath))")
                _ = ContentCoding.choose(head.header("Accept-Encoding"))
                _ = PasswordCheck.credentials(head.header("Authorization"))
                var body: [UInt8] = []
                switch head.framing {
                case .none: break
                case .length(let length):
                    guard length <= bytes.count - at else { return seen }
                    body = Array(bytes[at..<(at + length)])
                    at += length
                case .chunked:
                    guard let end = try chunks(bytes, from: at, step: step, into: &body) else { return seen }
                    at = end
                }
                if let form = FormType(head.header("Content-Type")) {
                    for (name, value) in form.parameters(body) { seen.append("\(name)=\(value)") }
                }
            }
        } catch {
            seen.append("\(error.status)")
        }
        return seen
    }

    private static func headLength(_ bytes: [UInt8], step: Int) throws(RequestRefusal) -> Int? {
        var scanner = HeadScanner()
        var count = 0
        while count < bytes.count {
            count = min(bytes.count, count + step)
            let end = try bytes.withUnsafeBufferPointer { buffer throws(RequestRefusal) in
                try scanner.end(in: UnsafeBufferPointer(rebasing: buffer[..<count]))
            }
            if let end { return end }
        }
        return nil
    }

    /// The end of a chunked body; nil if it is not complete.
    private static func chunks(
        _ bytes: [UInt8], from start: Int, step: Int, into body: inout [UInt8]
    ) throws(RequestRefusal) -> Int? {
        var decoder = ChunkedDecoder()
        var at = start
        var out: [UInt8] = []
        while at < bytes.count, !decoder.isDone {
            let part = Array(bytes[at..<min(bytes.count, at + step)])
            at += try part.withUnsafeBufferPointer { part throws(RequestRefusal) in
                try decoder.decode(part) { out += $0 }
            }
        }
        body = out
        return decoder.isDone ? at : nil
    }
}
