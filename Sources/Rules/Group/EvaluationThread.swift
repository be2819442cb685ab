import Platform
import PromQL

/// Runs evaluations on their own thread, with the stack that deep expressions need, so that queries never block the few
/// threads of Swift's tasks.
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
        // The thread has ended its work, so this does not wait.
        thread?.join()
        return result
    }
}
