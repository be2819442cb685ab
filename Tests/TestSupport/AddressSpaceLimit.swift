import Glibc

/// A limit of the address space of this process, for tests in a process of their own: an allocation that fails ends it.
public enum AddressSpaceLimit {
    /// Leaves `bytes` to be reserved; whether that could be done.
    public static func leave(_ bytes: Int) -> Bool {
        guard let file = fopen("/proc/self/statm", "r") else { return false }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, 256, file) != nil else { return false }
        let limit = atol(line) * Int(getpagesize()) + bytes
        var bounds = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t(limit))
        return setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &bounds) == 0
    }
}
