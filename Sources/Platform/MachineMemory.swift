import Glibc

/// The memory that this process may use: that of the machine, or less with the limit of its control group.
package enum MachineMemory {
    /// Bytes.
    package static var limit: Int {
        let machine = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        var space = rlimit()
        // Not all of the address space can be memory for data: stacks, code and reservations need some.
        let isLimited =
            getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &space) == 0 && space.rlim_cur < rlim_t(Int.max)
        return limit(
            machine: isLimited ? min(machine, Int(space.rlim_cur) / 2) : machine,
            groups: text("/proc/self/cgroup") ?? "", read: text)
    }

    /// The minimum of the machine's memory and the limits of the group and its parents.
    ///
    /// - Parameters:
    ///   - groups: The text of `/proc/self/cgroup`.
    ///   - read: The text of a file; nil if there is none.
    static func limit(machine: Int, groups: String, read: (String) -> String?) -> Int {
        var limit = machine
        func consider(_ path: String) {
            let digits = read(path)?.prefix { $0.isASCII && $0.isNumber } ?? ""
            if let bytes = Int(digits), bytes > 0 { limit = min(limit, bytes) }
        }
        for line in groups.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isUnified = parts[1].isEmpty
            guard isUnified || parts[1].split(separator: ",").contains("memory") else { continue }
            let (root, name) =
                isUnified
                ? ("/sys/fs/cgroup", "memory.max") : ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            // From the outermost group inwards; in a container the outer ones may be missing.
            var folder = root
            consider("\(folder)/\(name)")
            for part in parts[2].split(separator: "/") where part != ".." {
                folder += "/\(part)"
                consider("\(folder)/\(name)")
            }
        }
        return limit
    }

    private static func text(_ path: String) -> String? {
        let bytes = PlacedFile.content(path, atMost: 4096)
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
