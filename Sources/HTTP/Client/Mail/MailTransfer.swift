import CCurl
import Config
import Glibc
import GoCompatibility
import Model
import Platform
import Synchronization

/// One conversation with an SMTP server, on the thread that calls ``run(_:_:)`` and ``close()``.
final class MailTransfer: @unchecked Sendable {
    // SAFETY: only `isCancelled` is used by several threads; the rest belongs to the thread that runs the transfer.
    /// The mechanisms that the conversation may use.
    enum Authentication: Equatable {
        case none
        /// With the secret of the user.
        case secret
        case password(mechanisms: [String])
        /// There is neither password nor secret.
        case missing

        /// The conversations to try until the server knows a mechanism of one: its list is not known before.
        static func choices(_ user: MailRequest.User, _ request: MailRequest) -> [Authentication] {
            var choices: [Authentication] = []
            if !user.secret.isEmpty { choices.append(.secret) }
            if !user.password.isEmpty {
                // PLAIN is not for a connection that others can read.
                let isSafe = request.startsWithTLS || request.requiresTLS || request.isLocal
                choices.append(.password(mechanisms: isSafe ? ["PLAIN", "LOGIN"] : ["LOGIN"]))
            }
            return choices.isEmpty ? [.missing] : choices
        }

        /// The value of curl's login options.
        fileprivate var options: String {
            switch self {
            case .none: ""
            case .secret: "AUTH=CRAM-MD5"
            case .password(let mechanisms): mechanisms.map { "AUTH=\($0)" }.joined(separator: ";")
            // A mechanism that needs what is never set, so that curl finds none.
            case .missing: "AUTH=OAUTHBEARER"
            }
        }
    }

    /// The end of a conversation without success.
    struct End {
        var failure: TransferFailure
        /// Whether the server offers authentication, but with no mechanism that is allowed.
        var isWithoutMechanism: Bool
    }

    private let handle: UnsafeMutableRawPointer
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private let request: MailRequest
    private let authentication: Authentication
    /// The end of the time, ns of the monotonic clock.
    private let deadline: Int64
    private var lists = CurlOptions.Lists()
    private var sent = 0
    /// The last line with which the server has refused something.
    private var refusal: [UInt8] = []
    private let isCancelled = Atomic(false)

    /// The longest line of a server that an error shows, bytes.
    private static let refusalMax = 200

    init?(_ request: MailRequest, _ authentication: Authentication) {
        guard TransferLoop.isLibraryReady, let handle = curl_easy_init() else { return nil }
        self.handle = handle
        self.request = request
        self.authentication = authentication
        deadline = SystemClock().monotonic() &+ min(max(1, request.timeout), 1 << 40) * 1_000_000
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit { errorText.deallocate() }

    /// Closes the connection, with `QUIT` if the server still answers; called once, after ``run(_:_:)``.
    func close() {
        curl_easy_cleanup(handle)
        lists.free()
    }

    /// Sends the mail and blocks the thread; returns nil if the server has accepted it.
    func run(_ tls: TLSClientConfig, _ files: TLSFiles) -> End? {
        if let problem = setupProblem { return End(failure: problem, isWithoutMechanism: false) }
        guard CurlOptions.setTLS(tls, files, handle) else {
            let text = "tls_config: a certificate or key is missing or too large"
            return End(failure: TransferFailure(.setup, text), isWithoutMechanism: false)
        }
        setConnection(tls)
        setUser()
        setMail()
        let code = curl_easy_perform(handle)
        guard code != CURLE_OK else { return nil }
        defer { cutConnection() }
        return end(code)
    }

    /// Ends the conversation soon; called by any thread.
    func cancel() { isCancelled.store(true, ordering: .releasing) }

    /// Whether the conversation continues.
    ///
    /// curl does not apply its own limit to the answer to `QUIT`.
    fileprivate var goesOn: Bool {
        !isCancelled.load(ordering: .acquiring) && SystemClock().monotonic() < deadline &+ 500_000_000
    }

    /// The reason why an address cannot be sent, which a line feed in it would turn into another command.
    private var setupProblem: TransferFailure? {
        for address in [request.sender] + request.recipients
        where address.utf8.contains(where: {
            $0 <= 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: ">")
        }) {
            return TransferFailure(.setup, "invalid address \(GoQuote.quote(address))")
        }
        if request.recipients.isEmpty { return TransferFailure(.setup, "no recipients") }
        return nil
    }

    private func setConnection(_ tls: TLSClientConfig) {
        let me = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        _ = ccurl_set_string(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        // An empty text stops curl from reading the environment.
        _ = ccurl_set_string(handle, CURLOPT_PROXY, "")
        _ = ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
        _ = ccurl_set_long(handle, CURLOPT_TIMEOUT_MS, Int(min(max(1, request.timeout), 1 << 31)))
        _ = ccurl_set_long(handle, CURLOPT_NOPROGRESS, 0)
        _ = ccurl_set_progress(handle, mailGoesOn, me)
        _ = ccurl_set_write(handle, CURLOPT_HEADERFUNCTION, mailReceivesLine)
        _ = ccurl_set_pointer(handle, CURLOPT_HEADERDATA, me)
        _ = ccurl_set_write(handle, CURLOPT_WRITEFUNCTION, mailReceivesNothing)
        if request.requiresTLS, !request.startsWithTLS {
            _ = ccurl_set_long(handle, CURLOPT_USE_SSL, Int(CURLUSESSL_ALL.rawValue))
        }
        // TLS uses the configured name; the connection uses the host.
        let name = tls.serverName.isEmpty ? request.host : tls.serverName
        if !tls.serverName.isEmpty {
            let target = "\(Self.bracketed(name)):\(request.port):\(Self.bracketed(request.host)):\(request.port)"
            _ = ccurl_set_list(handle, CURLOPT_CONNECT_TO, lists.make([target]))
        }
        let hello = Self.percentEncoded(request.hello.isEmpty ? "localhost" : request.hello)
        let scheme = request.startsWithTLS ? "smtps" : "smtp"
        _ = ccurl_set_string(
            handle, CURLOPT_URL, "\(scheme)://\(Self.bracketed(name)):\(request.port)/\(hello)")
    }

    private func setUser() {
        guard let user = request.user, authentication != .none else { return }
        _ = ccurl_set_string(handle, CURLOPT_USERNAME, user.name)
        _ = ccurl_set_string(handle, CURLOPT_PASSWORD, authentication == .secret ? user.secret : user.password)
        if !user.identity.isEmpty { _ = ccurl_set_string(handle, CURLOPT_SASL_AUTHZID, user.identity) }
        _ = ccurl_set_long(handle, CURLOPT_SASL_IR, 1)
        _ = ccurl_set_string(handle, CURLOPT_LOGIN_OPTIONS, authentication.options)
    }

    private func setMail() {
        _ = ccurl_set_string(handle, CURLOPT_MAIL_FROM, request.sender)
        _ = ccurl_set_list(handle, CURLOPT_MAIL_RCPT, lists.make(request.recipients))
        _ = ccurl_set_long(handle, CURLOPT_UPLOAD, 1)
        _ = ccurl_set_write(handle, CURLOPT_READFUNCTION, mailSends)
        _ = ccurl_set_pointer(handle, CURLOPT_READDATA, Unmanaged.passUnretained(self).toOpaque())
        _ = ccurl_set_off(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(request.message.count))
    }

    private static func bracketed(_ host: String) -> String { host.utf8.contains(0x3A) ? "[\(host)]" : host }

    private static func percentEncoded(_ text: String) -> String {
        GoURL.queryEscape(text).replacing("+", with: "%20")
    }

    // MARK: End

    /// Prevents that ``close()`` waits for an answer to `QUIT` of a server that did not answer before.
    private func cutConnection() {
        var socket = curl_socket_t(-1)
        if ccurl_get_socket(handle, &socket) == CURLE_OK, socket >= 0 { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    private func end(_ code: CURLcode) -> End {
        if isCancelled.load(ordering: .acquiring) {
            return End(failure: TransferFailure(.cancelled, "context canceled"), isWithoutMechanism: false)
        }
        let text = String(cString: errorText)
        // curl has no code of its own for this.
        let isWithoutMechanism = code == CURLE_LOGIN_DENIED && status < 400
        let reason: String
        switch code {
        case CURLE_OPERATION_TIMEDOUT, CURLE_ABORTED_BY_CALLBACK:
            return End(failure: TransferFailure(.timeout, "context deadline exceeded"), isWithoutMechanism: false)
        case CURLE_USE_SSL_FAILED where status < 400:
            let server = GoURL.joinHostPort(request.host, request.port)
            reason =
                "'require_tls' is true (default) but \(GoQuote.quote(server)) does not advertise the STARTTLS extension"
        case CURLE_LOGIN_DENIED where isWithoutMechanism:
            reason =
                authentication == .missing
                ? "missing password or secret for the auth mechanisms of the server"
                : "no auth mechanism of the server is possible"
        // The server's text may repeat what it got.
        case CURLE_LOGIN_DENIED: reason = "auth: the server answers \(status)"
        default:
            reason = (text.isEmpty ? String(cString: curl_easy_strerror(code)) : text) + shownRefusal
        }
        return End(failure: TransferFailure(.network, reason), isWithoutMechanism: isWithoutMechanism)
    }

    /// The number of the server's last reply; 0 if there is none.
    private var status: Int {
        var status = 0
        _ = ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    private var shownRefusal: String {
        refusal.isEmpty ? "" : ": \(GoQuote.quote(String(decoding: refusal, as: UTF8.self)))"
    }

    fileprivate func receive(_ line: UnsafeRawBufferPointer) {
        // The answer to QUIT follows.
        guard line.first == UInt8(ascii: "4") || line.first == UInt8(ascii: "5") else { return }
        refusal = Array(line.prefix(Self.refusalMax).filter { $0 != 0x0D && $0 != 0x0A })
    }

    /// Copies the next bytes of the message; returns their number.
    fileprivate func copy(into target: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(target.count, request.message.count - sent)
        target.copyBytes(from: request.message[sent..<sent + count])
        sent += count
        return count
    }
}

/// Top level, because a closure handed to C must carry no isolation check.
private func mailSends(
    _ target: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ me: UnsafeMutableRawPointer?
) -> Int {
    guard let target, let me else { return 0 }
    let bytes = UnsafeMutableRawBufferPointer(start: target, count: size &* count)
    return Unmanaged<MailTransfer>.fromOpaque(me).takeUnretainedValue().copy(into: bytes)
}

private func mailReceivesLine(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ me: UnsafeMutableRawPointer?
) -> Int {
    guard let data, let me else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: data, count: size &* count)
    Unmanaged<MailTransfer>.fromOpaque(me).takeUnretainedValue().receive(bytes)
    return bytes.count
}

private func mailReceivesNothing(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ me: UnsafeMutableRawPointer?
) -> Int { size &* count }

/// Returns 1 to end the conversation.
private func mailGoesOn(
    _ me: UnsafeMutableRawPointer?, _ downTotal: curl_off_t, _ down: curl_off_t, _ upTotal: curl_off_t,
    _ up: curl_off_t
) -> Int32 {
    guard let me else { return 1 }
    return Unmanaged<MailTransfer>.fromOpaque(me).takeUnretainedValue().goesOn ? 0 : 1
}
