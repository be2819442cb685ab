import CPlatform

/// How the C library keeps freed memory.
package enum Heaps {
    /// Bounds what stays with the process after a burst; called once, before threads are started.
    ///
    /// By default each thread that allocates much gets a heap of its own, and keeps there what its last query freed: with
    /// twenty queries at once the process would be several times as large as what they may hold together. Only the
    /// largest answers are mapped one by one: fresh pages are dear, so columns are made from memory that was used before.
    package static func bound() { cplatform_bound_heaps(1, 4 << 20, 8 << 20) }

    /// Gives back to the system what was freed and the allocator keeps; after work that took much memory for a while.
    package static func giveBack() { cplatform_trim() }
}
