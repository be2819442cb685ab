import Platform
import Synchronization

/// Runs asynchronous work from a thread that may block, for example the main thread of a command.
func blocking<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) throws -> R {
    let done = TimedSemaphore(value: 0)
    let box = Box<R>()
    Task {
        let result: Result<R, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        box.value.withLock { $0 = result }
        done.signal()
    }
    done.wait()
    guard let result = box.value.withLock({ $0 }) else { throw CommandFailure(description: "no result") }
    return try result.get()
}

private final class Box<R: Sendable>: Sendable {
    let value = Mutex<Result<R, any Error>?>(nil)
}
