import Glibc

/// The address space that the process may reserve.
///
/// Columns reserve more space than a storage will ever need, and stacks reserve space for the deepest query. This costs
/// nothing if the system does not limit reservations. With a limit of the address space (`ulimit -v`, `LimitAS=`), or
/// if the system counts reservations (`vm.overcommit_memory=2`), they share a part of the limit. Bodies and their
/// contents use the rest that is free at the moment.
package enum AddressSpace {
    /// The bytes for all columns together, and the limiting setting; nil if reservations are not limited.
    private static let limited: (budget: Int, reason: String)? = {
        var result: (budget: Int, reason: String)?
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur < rlim_t(Int.max) {
            // The first number is the size of the process in pages.
            let used = number(in: text("/proc/self/statm"), behind: "") ?? 0
            let free = max(0, Int(limit.rlim_cur) - used * Int(getpagesize()))
            result = (free / 2, "the limit of the address space (ulimit -v, LimitAS=) is \(limit.rlim_cur) bytes")
        }
        if text("/proc/sys/vm/overcommit_memory").first == UInt8(ascii: "2") {
            let memory = text("/proc/meminfo")
            let limit = (number(in: memory, behind: "CommitLimit:") ?? 0) * 1024
            let free = max(0, limit - (number(in: memory, behind: "Committed_AS:") ?? 0) * 1024)
            if free / 4 < result?.budget ?? .max {
                result = (free / 4, "vm.overcommit_memory is 2 and CommitLimit is \(limit) bytes")
            }
        }
        // A very large limit counts as none.
        return result.flatMap { $0.budget < 1 << 40 ? $0 : nil }
    }()

    /// The bytes that a column with a share of `share` may reserve.
    package static func share(_ share: Double) -> Int {
        guard let limited else { return .max }
        return Int(Double(limited.budget) * share)
    }

    /// Whether `bytes` can be allocated now, with a reserve for concurrent allocations.
    ///
    /// It is for memory whose size depends on input: a failed allocation ends the process. It costs nothing if
    /// reservations are not limited.
    ///
    /// - Parameter isUrgent: Whether the allocation only leaves the reserve of small ones: work that must be done some
    ///   day is not delayed by requests.
    package static func canAllocate(_ bytes: Int, isUrgent: Bool = false) -> Bool {
        guard let limited else { return true }
        return isFree(bytes, reserve: reserve(for: isUrgent ? 0 : bytes, budget: limited.budget))
    }

    /// The bytes that must be free besides an allocation.
    ///
    /// The reserve of small allocations is a quarter of that of large ones, so that large requests are refused first
    /// and small ones continue.
    static func reserve(for bytes: Int, budget: Int) -> Int {
        let most = min(64 << 20, max(0, budget) / 4)
        let least = most / 4
        let (more, isOver) = max(0, bytes - smallAllocation).multipliedReportingOverflow(by: 8)
        return isOver ? most : least + min(most - least, more)
    }

    /// The bytes up to which an allocation is small.
    private static let smallAllocation = 64 << 10

    /// Makes a test allocation, because the reservations of all parts of the process count.
    static func isFree(_ bytes: Int, reserve: Int) -> Bool {
        let (length, isOver) = max(1, bytes).addingReportingOverflow(max(0, reserve))
        guard !isOver else { return false }
        let place = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let place, place != MAP_FAILED else { return false }
        munmap(place, length)
        return true
    }

    /// The number of threads with stacks of `stackSize` bytes that may be made, at most `wanted`, and a few in any
    /// case.
    package static func threads(_ wanted: Int, stackSize: Int) -> Int {
        threads(wanted, stackSize: stackSize, budget: limited?.budget)
    }

    static func threads(_ wanted: Int, stackSize: Int, budget: Int?) -> Int {
        guard let budget else { return wanted }
        return min(wanted, max(4, budget / 2 / max(1, stackSize)))
    }

    /// The reason why a daemon cannot run here; nil if there is enough address space for its threads.
    ///
    /// Without this check it would start and serve, but fail as soon as it needs one more thread.
    package static var shortage: String? { shortage(budget: limited?.budget, reason: limited?.reason ?? "") }

    static func shortage(budget: Int?, reason: String) -> String? {
        guard let budget, budget < leastBudget else { return nil }
        return "\(reason); a daemon needs 256 MiB beside what is in use"
    }

    /// Four stacks of handlers, and as much for all other stacks.
    private static let leastBudget = 64 << 20

    /// The limiting setting of the address space, for messages: a comma and a clause, or nothing.
    package static var note: String { limited.map { ", because \($0.reason)" } ?? "" }

    /// The number after a word.
    static func number(in text: [UInt8], behind word: String) -> Int? {
        let word = Array(word.utf8)
        var at = 0
        while at + word.count <= text.count {
            if text[at..<(at + word.count)].elementsEqual(word) {
                let digits = text[(at + word.count)...].drop { $0 == 32 }.prefix { $0 >= 48 && $0 <= 57 }
                return Int(String(decoding: digits, as: UTF8.self))
            }
            at += 1
        }
        return nil
    }

    private static func text(_ path: String) -> [UInt8] {
        guard let file = try? RegularFile.open(path, O_RDONLY) else { return [] }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = read(file, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }
}
