import CPlatform

/// The C library's handling of freed memory.
package enum Heaps {
    /// Limits the freed memory that stays with the process after a burst; called once, before threads are started.
    ///
    /// By default each thread that allocates much gets its own heap, and keeps the freed memory of its last query
    /// there: with twenty queries at once the process would be several times as large as their limit. Only the largest
    /// answers are mapped separately: fresh pages are costly, so columns reuse memory.
    package static func bound() { cplatform_bound_heaps(1, 4 << 20, 8 << 20) }

    /// Returns freed memory that the allocator keeps to the system; called after work that needed much memory.
    package static func giveBack() { cplatform_trim() }

    /// The wait until freed memory is returned, ms: until then, the next queries use it.
    private static let later = LaterOnce(clock: SystemClock(), delay: 5000) { giveBack() }

    /// Calls ``giveBack()`` after a few seconds, once for all calls until then.
    package static func giveBackSoon() { later.request() }
}
