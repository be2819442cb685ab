import GoCompatibility
import CTLS
import Glibc
import Model
import Synchronization

/// Checks passwords against bcrypt hashes, and caches some results.
///
/// An unknown user costs as much time as a wrong password. One hash is computed at a time, because it uses a whole
/// core; see ``PasswordTurns``.
final class PasswordCheck: Sendable {
    /// A password whose hash has to be computed.
    struct Question: Sendable {
        fileprivate let password: [UInt8]
        fileprivate let hash: String
        fileprivate let isKnown: Bool
        /// A digest of user, hash and password.
        let key: [UInt8]
    }

    enum Look: Sendable {
        case known(Bool)
        case unknown(Question)
    }

    /// The results by the digest of the question.
    ///
    /// Wrong passwords, which anybody can send in any number, do not displace right ones.
    private struct Outcomes {
        var right: Set<[UInt8]> = []
        var wrong: Set<[UInt8]> = []
    }

    /// A hash of an unknown password.
    private static let standIn = "$2b$10$7EqJtq98hPqEX7fNZaFWoO.hW6y7uTQ2PZ2p2l1xQ9pZ3rXcJ9n8e"
    private static let maxRemembered = 1000

    let turns = PasswordTurns()
    private let outcomes = Mutex(Outcomes())
    private let matches: @Sendable (_ password: [UInt8], _ hash: String) -> Bool

    /// - Parameter matches: Whether a password without zero bytes matches a hash.
    init(matches: @escaping @Sendable (_ password: [UInt8], _ hash: String) -> Bool = PasswordCheck.bcrypt) {
        self.matches = matches
    }

    private static func bcrypt(_ password: [UInt8], _ hash: String) -> Bool {
        (password + [0]).withUnsafeBufferPointer { text in
            text.withMemoryRebound(to: CChar.self) { ctls_password_matches($0.baseAddress, hash) == 1 }
        }
    }

    /// Checks a value of `Authorization` against the users, if the result is known without a hash.
    func look(_ authorization: String?, users: [ExactText: String]) -> Look {
        guard let (user, password) = Self.credentials(authorization), !password.contains(0) else {
            return .known(false)
        }
        let known = users[ExactText(user)]
        let hash = known ?? Self.standIn
        let question = Question(
            password: password, hash: hash, isKnown: known != nil, key: Self.digest(user, hash, password))
        return remembered(question).map { .known($0) } ?? .unknown(question)
    }

    private func remembered(_ question: Question) -> Bool? {
        outcomes.withLock { outcomes in
            if outcomes.right.contains(question.key) { return question.isKnown }
            return outcomes.wrong.contains(question.key) ? false : nil
        }
    }

    /// Computes the hash, unless the result is known by now; returns whether the password is right.
    func answer(_ question: Question) -> Bool {
        if let outcome = remembered(question) { return outcome }
        let outcome = matches(question.password, question.hash) && question.isKnown
        outcomes.withLock { outcomes in
            if outcome {
                Self.insert(question.key, &outcomes.right)
            } else {
                Self.insert(question.key, &outcomes.wrong)
            }
        }
        return outcome
    }

    private static func insert(_ key: [UInt8], _ table: inout Set<[UInt8]>) {
        if table.count >= maxRemembered, let any = table.randomElement() { table.remove(any) }
        table.insert(key)
    }

    /// A digest of lengths and texts, so that no password stays in memory.
    private static func digest(_ user: String, _ hash: String, _ password: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for part in [Array(user.utf8), Array(hash.utf8), password] {
            text += Array("\(part.count):".utf8) + part
        }
        return Digest.sha256(text)
    }

    /// The user and the password of `Basic` credentials; nil if there are none.
    static func credentials(_ authorization: String?) -> (user: String, password: [UInt8])? {
        guard let authorization, authorization.prefix(6).isSame(as: "Basic "),
            let plain = GoBase64.decode(authorization.dropFirst(6).utf8.prefix(8192)),
            let colon = plain.firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        return (String(decoding: plain[..<colon], as: UTF8.self), Array(plain[(colon + 1)...]))
    }
}
