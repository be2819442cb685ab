import Glibc

/// How much address space the process may reserve.
///
/// Columns reserve room for more than a store will ever hold, and stacks for the deepest query, which costs nothing as
/// long as the system takes reservations for free. Under a limit of the address space (`ulimit -v`, `LimitAS=`), or where
/// the system counts what is reserved (`vm.overcommit_memory=2`), they share a part of what there is. Bodies and what is
/// made of them get what is left at the moment.
package enum AddressSpace {
    /// Bytes for all columns together, and what limits them; nil if reservations are free.
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
        // What is plenty is no limit.
        return result.flatMap { $0.budget < 1 << 40 ? $0 : nil }
    }()

    /// Bytes that a column of `share` of all may reserve.
    package static func room(_ share: Double) -> Int {
        guard let limited else { return .max }
        return Int(Double(limited.budget) * share)
    }

    /// Whether `bytes` can be allocated now, with a reserve for what others allocate at the same time.
    ///
    /// For memory of a size that comes from outside: an allocation that fails ends the process. Costs nothing where
    /// reservations are free.
    package static func canAllocate(_ bytes: Int) -> Bool {
        guard let limited else { return true }
        return isFree(bytes, reserve: min(64 << 20, limited.budget / 4))
    }

    /// Tries it out: what counts is what all parts of the process have reserved at this moment.
    static func isFree(_ bytes: Int, reserve: Int) -> Bool {
        let (length, isOver) = max(1, bytes).addingReportingOverflow(max(0, reserve))
        guard !isOver else { return false }
        let place = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let place, place != MAP_FAILED else { return false }
        munmap(place, length)
        return true
    }

    /// How many of at most `wanted` threads with stacks of `stackSize` bytes there may be; a few in any case.
    package static func threads(_ wanted: Int, stackSize: Int) -> Int {
        threads(wanted, stackSize: stackSize, budget: limited?.budget)
    }

    static func threads(_ wanted: Int, stackSize: Int, budget: Int?) -> Int {
        guard let budget else { return wanted }
        return min(wanted, max(4, budget / 2 / max(1, stackSize)))
    }

    /// Why a daemon cannot run here; nil if there is room for its threads.
    ///
    /// Without it, it would start and serve, but fail at the first moment that needs one thread more.
    package static var shortage: String? { shortage(budget: limited?.budget, reason: limited?.reason ?? "") }

    static func shortage(budget: Int?, reason: String) -> String? {
        guard let budget, budget < leastBudget else { return nil }
        return "\(reason); a daemon needs 256 MiB beside what is in use"
    }

    /// Four stacks of handlers, with as much again for the stacks of all others.
    private static let leastBudget = 64 << 20

    /// What limits the address space, for messages: a comma and a clause, or nothing.
    package static var note: String { limited.map { ", because \($0.reason)" } ?? "" }

    /// The number behind a word.
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
