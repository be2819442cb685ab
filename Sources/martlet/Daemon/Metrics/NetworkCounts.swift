import Glibc

/// The bytes that the network interfaces have received and sent, in this process's network namespace.
enum NetworkCounts {
    /// The counts; nil if the system does not report them.
    static func read() -> (received: Double, sent: Double)? {
        guard let file = fopen("/proc/self/net/netstat", "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&buffer, 1, buffer.count, file)
        return parse(String(decoding: buffer[0..<count], as: UTF8.self))
    }

    /// Reads pairs of lines, names and then numbers, after the same first word.
    static func parse(_ text: String) -> (received: Double, sent: Double)? {
        let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
        for (names, numbers) in zip(lines, lines.dropFirst())
        where names.first == "IpExt:" && numbers.first == "IpExt:" && names.count == numbers.count {
            func value(_ name: String) -> Double? {
                names.firstIndex { $0 == name }.flatMap { Double(numbers[$0]) }
            }
            if let received = value("InOctets"), let sent = value("OutOctets") { return (received, sent) }
        }
        return nil
    }
}
