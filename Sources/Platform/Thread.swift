import CPlatform
import Glibc
import Synchronization

/// An operating-system thread for work that blocks.
///
/// A thread that is not joined is detached with its object, so that its memory is freed when it ends.
public final class Thread: Sendable {
    private let handle: pthread_t
    /// Whether the thread was joined.
    private let isReleased = Atomic(false)

    private init(_ handle: pthread_t) { self.handle = handle }

    deinit { if !isReleased.load(ordering: .acquiring) { pthread_detach(handle) } }

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs `body` on a new thread.
    ///
    /// - Parameters:
    ///   - name: The name in the system's tools; its first 15 bytes.
    ///   - stackSize: The bytes of the stack.
    /// - Returns: The thread, or nil if the system refuses one.
    public static func start(_ name: String, stackSize: Int = 1 << 20, _ body: @escaping @Sendable () -> Void)
        -> Thread?
    {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        let start = Unmanaged.passRetained(Start(name, body))
        var handle: pthread_t = 0
        let failed = pthread_create(&handle, &attributes, { raw in threadMain(raw) }, start.toOpaque())
        guard failed == 0 else {
            start.release()
            return nil
        }
        return Thread(handle)
    }

    fileprivate static func run(_ raw: UnsafeMutableRawPointer?) {
        guard let raw else { return }
        let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
        cplatform_name_thread(String(decoding: start.name.utf8.prefix(15), as: UTF8.self))
        start.body()
    }

    /// Waits until the thread has ended; a second call returns immediately.
    public func join() {
        if isReleased.exchange(true, ordering: .acquiringAndReleasing) { return }
        pthread_join(handle, nil)
    }
}

/// Top level, because a closure handed to C must carry no isolation check.
private func threadMain(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    Thread.run(raw)
    return nil
}
