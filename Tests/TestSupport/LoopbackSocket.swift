import Glibc

/// A TCP connection or listener on 127.0.0.1, for tests that talk to real servers.
public struct LoopbackSocket: Sendable {
    public let descriptor: Int32

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func withAddress<R>(
        _ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) -> R {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    /// Connects to `port`; nil if nobody listens.
    public static func connect(port: UInt16, timeoutSeconds: Int = 30) -> LoopbackSocket? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard withAddress(address(port), { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            Glibc.close(descriptor)
            return nil
        }
        return LoopbackSocket(descriptor: descriptor)
    }

    /// Listens on `port`, 0 for a free one; nil if it is taken.
    public static func listen(port: UInt16 = 0) -> (socket: LoopbackSocket, port: UInt16)? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard withAddress(address(port), { bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, 64) == 0 else {
            Glibc.close(descriptor)
            return nil
        }
        var bound = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &bound) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &size) }
        }
        return (LoopbackSocket(descriptor: descriptor), UInt16(bigEndian: bound.sin_port))
    }

    /// A port that was free a moment ago.
    public static func freePort() -> UInt16 {
        guard let (socket, port) = listen() else { return 0 }
        socket.close()
        return port
    }

    /// The next connection; nil once the listener is closed.
    public func accept() -> LoopbackSocket? {
        let accepted = Glibc.accept(descriptor, nil, nil)
        return accepted >= 0 ? LoopbackSocket(descriptor: accepted) : nil
    }

    /// Sends all bytes; false if the peer is gone.
    @discardableResult
    public func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let n = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard n > 0 else { return false }
            sent += n
        }
        return true
    }

    /// Up to `most` bytes; empty at the end or after the time limit.
    public func receive(most: Int = 65_536) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: most)
        let n = recv(descriptor, &buffer, most, 0)
        return n > 0 ? Array(buffer[0..<n]) : []
    }

    /// Wakes whoever is in `accept` or `receive`.
    public func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Wakes whoever is in `accept` or `receive`, then closes.
    public func close() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        Glibc.close(descriptor)
    }
}
