import Glibc

/// A connection to a name server, with a time limit for each step.
final class DNSSocket: Sendable {
    /// The reason why a server gave no answer.
    struct Failure: Error, CustomStringConvertible {
        var description: String

        init(_ description: String) { self.description = description }
        fileprivate init(_ step: String, _ code: Int32) { description = "\(step): \(String(cString: strerror(code)))" }
    }

    private let descriptor: Int32
    /// ms of each step.
    private let timeout: Int64

    /// Connects to a server.
    ///
    /// - Parameters:
    ///   - server: An IP address, which may have a zone.
    ///   - isStream: Whether TCP is used instead of UDP.
    init(_ server: String, port: UInt16, isStream: Bool, timeout: Int64) throws(Failure) {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32((isStream ? SOCK_STREAM : SOCK_DGRAM).rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(server, "\(port)", &hints, &found) == 0, let first = found else {
            throw Failure("the name server has no IP address")
        }
        defer { freeaddrinfo(found) }
        let address = first.pointee
        // The kernel gives each socket a random port.
        let descriptor = socket(
            address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("socket", errno) }
        self.descriptor = descriptor
        self.timeout = timeout
        if connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return }
        guard errno == EINPROGRESS else { throw Failure("connect", errno) }
        try Self.wait(descriptor, POLLOUT, until: Self.now() + timeout, "connect")
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code == 0 else {
            throw Failure("connect", code)
        }
    }

    deinit { close(descriptor) }

    /// The time, ms of the monotonic clock.
    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000
    }

    private static func wait(
        _ descriptor: Int32, _ event: Int32, until deadline: Int64, _ step: String
    ) throws(Failure) {
        while true {
            let left = deadline &- now()
            guard left > 0 else { throw Failure("\(step): i/o timeout") }
            var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            let count = poll(&entry, 1, Int32(clamping: left))
            if count > 0 { return }
            if count < 0, errno != EINTR { throw Failure(step, errno) }
        }
    }

    /// Sends all bytes.
    func send(_ bytes: [UInt8]) throws(Failure) {
        let deadline = Self.now() + timeout
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try Self.wait(descriptor, POLLOUT, until: deadline, "write")
            } else if errno != EINTR {
                throw Failure("write", errno)
            }
        }
    }

    /// The next bytes, at most `most`.
    private func part(most: Int, until deadline: Int64) throws(Failure) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: most)
        while true {
            try Self.wait(descriptor, POLLIN, until: deadline, "read")
            let count = recv(descriptor, &buffer, most, 0)
            if count >= 0 { return Array(buffer.prefix(count)) }
            if errno != EAGAIN, errno != EINTR { throw Failure("read", errno) }
        }
    }

    /// Reads datagrams until `read` takes one; returns what it returns.
    func datagram<Value>(most: Int, _ read: ([UInt8]) throws(Failure) -> Value?) throws(Failure) -> Value {
        let deadline = Self.now() + timeout
        while true {
            if let value = try read(try part(most: most, until: deadline)) { return value }
        }
    }

    /// Reads exactly `count` bytes of a stream.
    func bytes(_ count: Int) throws(Failure) -> [UInt8] {
        let deadline = Self.now() + timeout
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try part(most: count - bytes.count, until: deadline)
            if more.isEmpty { throw Failure("read: the server ended the connection") }
            bytes += more
        }
        return bytes
    }
}
