import Glibc

/// What a process holds, for tests that repeat something many times.
///
/// Other tests open files and start threads meanwhile, so such a test belongs into a process of its own:
/// `#expect(processExitsWith: .success) { … }`.
public struct ProcessUse: Sendable {
    public var threads: Int
    public var descriptors: Int
    public var maps: Int
    /// Bytes.
    public var resident: Int

    public init() {
        func lines(_ path: String) -> [Substring] { Self.read(path).split(separator: "\n") }
        let status = lines("/proc/self/status")
        func number(_ key: String) -> Int {
            status.first { $0.hasPrefix(key) }?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
        }
        threads = number("Threads:")
        resident = number("VmRSS:") * 1024
        maps = lines("/proc/self/maps").count
        descriptors = Self.entries("/proc/self/fd")
    }

    /// What grew since `before` by more than a process needs that repeats nothing, in words; empty when nothing did.
    ///
    /// - Parameters:
    ///   - maps: how many mappings more are fine: the allocator and the pool of threads keep some.
    ///   - resident: how many bytes more are fine.
    public func growth(since before: ProcessUse, maps: Int = 64, resident: Int = 32 << 20) -> [String] {
        [
            ("threads", before.threads, threads, 8), ("descriptors", before.descriptors, descriptors, 8),
            ("maps", before.maps, self.maps, maps), ("resident bytes", before.resident, self.resident, resident),
        ].filter { $0.2 - $0.1 > $0.3 }.map { "\($0.0): \($0.1) → \($0.2)" }
    }

    private static func read(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let n = fread(&buffer, 1, buffer.count, file)
            if n == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<n]
        }
    }

    private static func entries(_ path: String) -> Int {
        guard let folder = opendir(path) else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return count
    }
}
