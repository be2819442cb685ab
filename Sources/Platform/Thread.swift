import CPlatform
import Glibc

/// An operating-system thread for work that blocks.
public final class Thread: Sendable {
    // SAFETY: written once by `start` before the object is handed out, read by `join`.
    nonisolated(unsafe) private var handle: pthread_t

    private init(_ handle: pthread_t) { self.handle = handle }

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
    ///   - name: Shown by the system's tools; its first 15 bytes.
    ///   - stackSize: Bytes of stack.
    /// - Returns: The thread, or nil if the system refuses one.
    public static func start(_ name: String, stackSize: Int = 1 << 20, _ body: @escaping @Sendable () -> Void)
        -> Thread?
    {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        let start = Unmanaged.passRetained(Start(name, body))
        var handle = pthread_t()
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

    /// Lets the thread's memory go when it ends; nobody may join it then.
    public func detach() { pthread_detach(handle) }

    /// Waits until the thread has ended; call at most once.
    public func join() { pthread_join(handle, nil) }
}

/// Top level, because a closure handed to C must carry no isolation check.
private func threadMain(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    Thread.run(raw)
    return nil
}
