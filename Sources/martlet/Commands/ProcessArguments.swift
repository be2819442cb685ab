import Glibc

/// The arguments of the process.
enum ProcessArguments {
    /// All arguments except the name of the program.
    ///
    /// Swift's runtime finds none if a preloaded library has moved the environment before; the kernel still has them.
    static var all: [String] {
        let known = Array(CommandLine.arguments.dropFirst())
        return known.isEmpty ? Array(ofSystem.dropFirst()) : known
    }

    private static var ofSystem: [String] {
        let file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while case let count = read(file, &part, part.count), count > 0 { bytes += part[0..<count] }
        if bytes.last == 0 { bytes.removeLast() }
        return bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }
}
