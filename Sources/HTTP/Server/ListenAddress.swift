import Glibc

/// An address to listen on: `host:port`, `:port`, `[::1]:port`.
package struct ListenAddress: Sendable, Hashable {
    package var host: String
    package var port: UInt16

    /// Reads an address; nil if there is no valid port.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        self.port = port
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        self.host = String(host)
    }

    /// Returns a listening socket at this address.
    ///
    /// - Throws: ``HTTPServerError`` with the system's reason.
    func listen() throws(HTTPServerError) -> Int32 {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        // Without a host: all addresses of both families, through one IPv6 socket where there is one.
        hints.ai_family = host.isEmpty ? AF_INET6 : AF_UNSPEC
        var found: UnsafeMutablePointer<addrinfo>?
        var status = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &found)
        if status != 0, host.isEmpty {
            hints.ai_family = AF_INET
            status = getaddrinfo(nil, String(port), &hints, &found)
        }
        guard status == 0, let first = found else {
            throw HTTPServerError("listen \(self): \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(first) }
        let address = first.pointee
        let descriptor = socket(
            address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            address.ai_protocol)
        guard descriptor >= 0 else { throw HTTPServerError("listen \(self): \(String(cString: strerror(errno)))") }
        var (yes, no): (Int32, Int32) = (1, 0)
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size)
        if address.ai_family == AF_INET6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &no, size) }
        guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0, Glibc.listen(descriptor, 4096) == 0 else {
            let number = errno
            close(descriptor)
            let advice = number == EADDRINUSE ? " (choose another one with --web.listen-address)" : ""
            throw HTTPServerError(
                "listen tcp \(self): bind: \(String(cString: strerror(number)))\(advice)")
        }
        return descriptor
    }

    /// The port of a bound socket.
    static func boundPort(_ descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &size) }
            // Both families have the port at the same offset.
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
    }
}

extension ListenAddress: CustomStringConvertible {
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The reason why a server does not start.
package struct HTTPServerError: Error, CustomStringConvertible {
    package var description: String
    init(_ description: String) { self.description = description }
}
