import Platform
import PromQL

/// Runs evaluations where they belong: on a thread of their own, with the stack that deep expressions need, so that the
/// few threads of Swift's tasks are never held up by a query.
enum EvaluationThread {
    /// Runs `body` and returns its result.
    ///
    /// If the system refuses a thread, it runs here.
    static func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        var thread: Thread?
        let result = await withCheckedContinuation { continuation in
            thread = Thread.start("rules", stackSize: PromQLParser.stackSize) {
                continuation.resume(returning: body())
            }
            if thread == nil { continuation.resume(returning: body()) }
        }
        // It has nothing left to do, so this does not wait.
        thread?.join()
        return result
    }
}
