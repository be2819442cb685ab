import CTLS
import Glibc
import Model
import Synchronization

/// Checks passwords against bcrypt hashes, and remembers the outcomes of some.
///
/// An unknown user costs as much time as a wrong password. One hash is computed at a time, as it takes a whole core.
final class PasswordCheck: Sendable {
    /// A hash that belongs to no password anybody knows.
    private static let standIn = "$2b$10$7EqJtq98hPqEX7fNZaFWoO.hW6y7uTQ2PZ2p2l1xQ9pZ3rXcJ9n8e"
    private static let maxRemembered = 100

    private let remembered = Mutex<[[UInt8]: Bool]>([:])
    private let oneAtATime = Mutex(())

    /// Whether a value of `Authorization` is that of one of the users.
    func accepts(_ authorization: String?, users: [ExactText: String]) -> Bool {
        guard let (user, password) = Self.credentials(authorization) else { return false }
        let known = users[ExactText(user)]
        let hash = known ?? Self.standIn
        let key = Self.digest(user, hash, password)
        if let outcome = remembered.withLock({ $0[key] }) { return outcome && known != nil }
        let matches = oneAtATime.withLock { _ in
            guard !password.contains(0) else { return false }
            return (password + [0]).withUnsafeBufferPointer { text in
                text.withMemoryRebound(to: CChar.self) { ctls_password_matches($0.baseAddress, hash) == 1 }
            }
        }
        let outcome = matches && known != nil
        remembered.withLock { table in
            if table.count >= Self.maxRemembered, let any = table.keys.randomElement() { table[any] = nil }
            table[key] = outcome
        }
        return outcome
    }

    /// A digest of lengths and texts, so that no password stays in memory.
    private static func digest(_ user: String, _ hash: String, _ password: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for part in [Array(user.utf8), Array(hash.utf8), password] {
            text += Array("\(part.count):".utf8) + part
        }
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256(text, text.count, &digest)
        return digest
    }

    /// User and password of `Basic` credentials; nil if there are none.
    static func credentials(_ authorization: String?) -> (user: String, password: [UInt8])? {
        guard let authorization, authorization.prefix(6).isSame(as: "Basic "),
            let plain = base64(authorization.dropFirst(6).utf8), let colon = plain.firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        return (String(decoding: plain[..<colon], as: UTF8.self), Array(plain[(colon + 1)...]))
    }

    private static func base64(_ text: some Collection<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        var (bits, count, padding) = (0, 0, 0)
        guard text.count % 4 == 0, text.count <= 8192 else { return nil }
        for byte in text {
            let value: Int
            switch byte {
            case 0x41...0x5A: value = Int(byte) - 0x41
            case 0x61...0x7A: value = Int(byte) - 0x61 + 26
            case 0x30...0x39: value = Int(byte) - 0x30 + 52
            case 0x2B: value = 62
            case 0x2F: value = 63
            case 0x3D:
                padding += 1
                continue
            default: return nil
            }
            guard padding == 0 else { return nil }
            bits = (bits << 6 | value) & 0xFFFF
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        return padding <= 2 ? out : nil
    }
}
