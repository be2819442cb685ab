import Synchronization

/// Counts of the templates of alerts that were expanded.
package final class TemplateCounts: Sendable {
    private let expansions = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)

    package init() {}

    func expanded(failed: Bool) {
        expansions.wrappingAdd(1, ordering: .relaxed)
        if failed { failures.wrappingAdd(1, ordering: .relaxed) }
    }

    var values: (expansions: Int, failures: Int) {
        (expansions.load(ordering: .relaxed), failures.load(ordering: .relaxed))
    }
}
