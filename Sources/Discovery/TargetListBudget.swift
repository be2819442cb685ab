import Model
import Platform
import Synchronization

/// A limit on the memory of the targets that all servers of HTTP discovery list together.
///
/// One list takes at most half of what the others leave. So a further list always gets some, however large the others
/// are.
package final class TargetListBudget: Sendable {
    /// The budget of this process: an eighth of the memory, 32 MiB at least, and 1 GiB at most.
    static let shared = TargetListBudget(limit: min(max(MachineMemory.limit / 8, 32 << 20), 1 << 30))

    let limit: Int
    private let used = Mutex(0)

    package init(limit: Int) { self.limit = limit }

    /// The bytes of all lists.
    package var inUse: Int { used.withLock { $0 } }

    /// Reserves `more` bytes for a list that has `held` bytes and will replace one of `replaced` bytes.
    ///
    /// - Returns: The bytes that the list may have; less than `held + more` if nothing was reserved.
    fileprivate func reserve(_ more: Int, held: Int, replaced: Int) -> Int {
        used.withLock { used in
            let most = max(0, limit - (used - held - replaced)) / 2
            if held + more <= most { used += more }
            return most
        }
    }

    fileprivate func release(_ bytes: Int) { used.withLock { $0 -= bytes } }
}

/// The memory of a list of targets that is being read, and after that of its targets.
///
/// One thread uses it at a time.
package final class TargetListCost: Sendable {
    /// The most labels of a group.
    ///
    /// A Kubernetes object has some hundred at most.
    static let mostLabels = 10_000
    /// The bytes of a target, with its scrapes' state, without its labels.
    private static let target = 4096
    /// The bytes of a group, and of a label, without their texts.
    private static let (group, label) = (512, 96)
    /// The copies of an address: in the list, the labels before and after relabelling, and the URL.
    private static let copies = 4
    /// The copies of a group's labels that each target has: before and after relabelling.
    private static let labelCopies = 2
    /// The bytes that are reserved at once.
    private static let step = 1 << 20

    private let budget: TargetListBudget
    private let replaced: Int
    private let counted = Atomic(0)
    private let reserved = Atomic(0)

    /// - Parameter old: The list that the new one will replace.
    init(_ budget: TargetListBudget, replacing old: TargetListCost?) {
        self.budget = budget
        replaced = old?.reserved.load(ordering: .relaxed) ?? 0
    }

    deinit { budget.release(reserved.load(ordering: .relaxed)) }

    /// The reason why a list is refused.
    package struct Excess: Error, CustomStringConvertible {
        package let description: String
    }

    private func add(_ bytes: Int) throws(Excess) {
        let (total, overflow) = counted.load(ordering: .relaxed).addingReportingOverflow(bytes)
        let held = reserved.load(ordering: .relaxed)
        counted.store(overflow ? .max : total, ordering: .relaxed)
        guard overflow || total > held else { return }
        let more = max(Self.step, overflow ? .max / 2 : total - held)
        let most = budget.reserve(more, held: held, replaced: replaced)
        guard held + more <= most else {
            throw Excess(
                description: "the targets of the list would take more than the \(most >> 20) MiB that are left for it;"
                    + " lists of HTTP discovery may take \(budget.limit >> 20) MiB together")
        }
        reserved.store(held + more, ordering: .relaxed)
        // A list that holds much asks for more, so that it is refused before small ones are.
        guard AddressSpace.canAllocate(max(more, min(held, 8 << 20))) else {
            throw Excess(description: "no address space left for the targets of the list\(AddressSpace.note)")
        }
    }

    func add(target: String) throws(Excess) {
        try add(Self.target + Self.copies * target.utf8.count)
    }

    /// - Parameter number: The number of the label in its group.
    func add(_ label: Label, number: Int) throws(Excess) {
        guard number <= Self.mostLabels else {
            throw Excess(description: "a target group has more than \(Self.mostLabels) labels")
        }
        try add(Self.label + Self.size(label))
    }

    /// The packed size of a label.
    private static func size(_ label: Label) -> Int { 8 + label.name.utf8.count + label.value.utf8.count }

    /// Adds a group whose targets and labels have been added: each target gets the labels.
    func add(_ group: TargetGroup) throws(Excess) {
        let labels = group.labels.reduce(0) { $0 + Self.size($1) }
        let (all, overflow) = labels.multipliedReportingOverflow(by: group.targets.count * Self.labelCopies)
        try add(overflow ? .max : all)
        try add(Self.group + group.source.utf8.count)
    }
}
