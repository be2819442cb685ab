import CCurl
import Config
import Encoding
import Glibc
import GoCompatibility
import Model
import Platform
import Synchronization

/// The request of a transfer, and its limits.
package struct TransferRequest: Sendable {
    package var method = "GET"
    package var url: URLParts
    /// `Name: value` lines that every host may receive.
    package var headers: [String] = []
    package var body: [UInt8] = []
    /// Whether only hosts that may receive the credentials may receive the body.
    package var isBodySecret = false
    package var credentials = RequestCredentials()
    /// The Unix socket for the connection, whatever host the URL has.
    package var unixSocket = ""
    /// The time when the transfer must be over, ns of the monotonic clock.
    package var deadline: Int64
    /// A body of this many bytes or more is an error.
    package var bodyLimit = Int.max
    /// Whether the beginning of a longer body suffices, so that it is no error.
    package var cutsBody = false
    /// Whether the answer's body is needed.
    ///
    /// An unneeded body is not kept, and a long one is not read to its end.
    package var wantsBody = true
    /// The only status whose body is needed; nil for all of them.
    package var wantedStatus: Int?

    package init(url: URLParts, deadline: Int64) {
        self.url = url
        self.deadline = deadline
    }
}

/// One HTTP request with its redirects, on a curl handle that can be used again.
///
/// The loop owns it from ``TransferLoop/submit(_:)`` until `onEnd` is called; its user owns it before and afterwards.
package final class Transfer: @unchecked Sendable {
    // SAFETY: passed to the loop and back through its locked inbox; never used by two threads at once.
    let handle: UnsafeMutableRawPointer
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var lists = CurlOptions.Lists()
    private var options: RequestOptions
    private var request: TransferRequest?
    private var redirects = 0
    /// Whether the request was repeated because its connection contained unexpected bytes.
    private var isRepeated = false
    private var share = BudgetShare(nil)
    private var isOverLimit = false
    /// The reason why there is no memory for the body.
    private var shortage: String?
    /// The bytes of an unneeded body that were skipped.
    private var skipped = 0
    /// Whether the rest of an unneeded body was not read.
    private var isCutOff = false
    private var chunks = ChunkedBody()
    private var chunkProblem: String?
    private var bounds = HeadBounds()
    /// The cost in its loop.
    var load = TransferLoad()
    /// The round that counts the cost.
    var round: LoopRound?
    /// Set by a thread that cancels the transfer; read by the loop.
    let isCancelled = Atomic(false)
    /// Called once at the end of the transfer.
    package var onEnd: (@Sendable (Transfer) -> Void)?

    package private(set) var head = ResponseHead()
    /// The body as sent, without transfer coding but with its content coding.
    package private(set) var body: [UInt8] = []
    package private(set) var failure: TransferFailure?

    private static let maxRedirects = 10
    /// The most bytes of an unneeded body that are read so that the connection can be kept.
    static let skippedMax = 64 << 10
    private static let noMemory = "no memory left for the bodies of answers"
    private static let firstSize = 4 << 10
    /// The most bytes of a buffer that are reserved before the body has come, because its head announces them.
    private static let trustedSize = 256 << 10

    /// - Parameters:
    ///   - budget: The limit of all bodies together.
    ///   - loop: Runs the transfer, and ends it if the budget revokes its memory.
    package init?(_ options: RequestOptions, budget: ByteBudget? = nil, loop: TransferLoop? = nil) {
        guard TransferLoop.isLibraryReady, let handle = curl_easy_init() else { return nil }
        self.handle = handle
        self.options = options
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        share = BudgetShare(budget) { [weak self, weak loop] in
            if let self { loop?.takeMemory(of: self) }
        }
    }

    deinit {
        lists.free()
        share.release()
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    // MARK: Request

    /// Prepares a request, and forgets the results of the last one.
    package func prepare(_ request: TransferRequest, options: RequestOptions? = nil) {
        if let options { self.options = options }
        recycle(keepingBytes: .max)
        self.request = request
        guard request.url.scheme == "http" || request.url.scheme == "https" else {
            failure = TransferFailure(.setup, "unsupported protocol scheme \(GoQuote.quote(request.url.scheme))")
            return
        }
        set(request)
    }

    private func set(_ request: TransferRequest) {
        curl_easy_reset(handle)
        lists.free()
        errorText[0] = 0
        let me = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_set_write(handle, CURLOPT_WRITEFUNCTION, transferReceivesBody)
        _ = ccurl_set_pointer(handle, CURLOPT_WRITEDATA, me)
        _ = ccurl_set_write(handle, CURLOPT_HEADERFUNCTION, transferReceivesHeader)
        _ = ccurl_set_pointer(handle, CURLOPT_HEADERDATA, me)
        _ = ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
        // A check that cannot be made as configured must not be made in another way.
        if !CurlOptions.apply(options.config, request.credentials.tls, to: handle) {
            failure = TransferFailure(.setup, "tls_config: a certificate or key is missing or too large")
        }
        if !request.unixSocket.isEmpty {
            _ = ccurl_set_string(handle, CURLOPT_UNIX_SOCKET_PATH, request.unixSocket)
        }
        var headers = request.headers + request.credentials.headers
        let credentials = request.credentials
        if !credentials.authorization.isEmpty, request.url.userInfo == nil || credentials.overridesURL {
            headers.append("Authorization: " + credentials.authorization)
        }
        if let host = CurlOptions.setURL(request.url, options.config, handle, &lists) {
            headers.append("Host: " + host)
        }
        setMethod(request, &headers)
        _ = ccurl_set_list(handle, CURLOPT_HTTPHEADER, lists.make(headers))
    }

    private func setMethod(_ request: TransferRequest, _ headers: inout [String]) {
        guard request.method != "GET" || !request.body.isEmpty else { return }
        _ = ccurl_set_string(handle, CURLOPT_CUSTOMREQUEST, request.method)
        _ = ccurl_set_off(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count))
        // libcurl copies the body here, so the pointer need not stay valid.
        request.body.withUnsafeBytes { bytes in
            var empty: UInt8 = 0
            withUnsafeMutablePointer(to: &empty) { fallback in
                let pointer = UnsafeMutableRawPointer(mutating: bytes.baseAddress) ?? UnsafeMutableRawPointer(fallback)
                _ = ccurl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, pointer)
            }
        }
        headers.append("Expect:")
        if !request.headers.contains(where: { $0.lowercased().hasPrefix("content-type:") }) {
            headers.append("Content-Type:")
        }
    }

    /// Sets the remaining time; returns false if there is none.
    func start(now: Int64) -> Bool {
        guard let request, failure == nil else { return false }
        guard !isCancelled.load(ordering: .acquiring) else {
            failure = TransferFailure(.cancelled, "context canceled")
            return false
        }
        let left = (request.deadline &- now) / 1_000_000
        guard left > 0 else {
            failure = TransferFailure(.timeout, "context deadline exceeded")
            return false
        }
        _ = ccurl_set_long(handle, CURLOPT_TIMEOUT_MS, Int(min(left, 1 << 31)))
        return true
    }

    /// Frees the results of the last request, and the buffer if the body was large.
    package func recycle(keepingBytes limit: Int) {
        request = nil
        head = ResponseHead()
        failure = nil
        redirects = 0
        isRepeated = false
        isOverLimit = false
        shortage = nil
        skipped = 0
        isCutOff = false
        chunkProblem = nil
        bounds = HeadBounds()
        isCancelled.store(false, ordering: .relaxed)
        share.release()
        if body.capacity > limit { body = [] } else { body.removeAll(keepingCapacity: true) }
    }

    // MARK: Answer

    /// Called by curl with a part of the body; false stops the transfer.
    fileprivate func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let before = chunks.count
        let goesOn = take(bytes)
        round?.add(bytes.count &+ (chunks.count &- before) &* LoopRound.chunkCost, of: self)
        if goesOn { round?.stopIfLong(self) }
        return goesOn
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let request else { return false }
        // Only the head of a redirect is used.
        let isRedirect = options.config.followRedirects && head.isRedirect
        if !request.wantsBody || isRedirect || request.wantedStatus.map({ $0 != head.status }) == true {
            return skip(bytes)
        }
        let size = body.count + bytes.count
        if size >= request.bodyLimit {
            if request.cutsBody { isCutOff = true } else { isOverLimit = true }
            return false
        }
        guard growBuffer(size, request.bodyLimit) else { return false }
        guard head.isChunked else {
            body.append(contentsOf: bytes)
            return true
        }
        chunkProblem = chunks.receive(bytes) { body.append(contentsOf: $0) }
        return chunkProblem == nil
    }

    /// Grows the buffer to `size` bytes after it has reserved the memory.
    private func growBuffer(_ size: Int, _ limit: Int) -> Bool {
        var capacity = size
        if size > body.capacity {
            // A page is not copied as it grows, if the head announces its size.
            let announced = min(head.announcedSize, Self.trustedSize)
            capacity = max(size, min(max(Self.firstSize, body.capacity &* 2, announced), limit))
        }
        guard share.grow(to: capacity) else {
            shortage = share.shortage
            return false
        }
        guard size > body.capacity else { return true }
        guard AddressSpace.canAllocate(capacity) else {
            shortage = Self.noMemory
            return false
        }
        body.reserveCapacity(capacity)
        return true
    }

    private func skip(_ bytes: UnsafeRawBufferPointer) -> Bool {
        skipped += bytes.count
        guard skipped <= Self.skippedMax else {
            isCutOff = true
            return false
        }
        if head.isChunked { chunkProblem = chunks.receive(bytes) { _ in } }
        return chunkProblem == nil
    }

    /// Called by curl with a line of the head; false stops the transfer.
    fileprivate func receiveHeader(_ line: UnsafeRawBufferPointer) -> Bool {
        round?.add(line.count &+ LoopRound.chunkCost, of: self)
        let begins = head.receive(line)
        guard bounds.take(line.count, begins: begins) else { return false }
        if begins {
            body.removeAll(keepingCapacity: true)
            skipped = 0
            chunks = ChunkedBody()
            // The connection is not used again if a plain-text answer claims another version, or if its status excludes
            // a body: bytes that a server sends nevertheless would be read as the next answer.
            if head.isVersion1 ? head.status == 204 || head.status == 304 : request?.url.scheme == "http" {
                _ = ccurl_set_long(handle, CURLOPT_FORBID_REUSE, 1)
            }
        }
        return head.problem == nil
    }

    /// Processes the result of a run of the handle that has just ended.
    ///
    /// - Returns: Whether the handle must be run again, for a redirect.
    func finish(_ code: CURLcode, now: Int64) -> Bool {
        guard let current = request else { return false }
        if isCancelled.load(ordering: .acquiring) {
            failure = TransferFailure(.cancelled, "context canceled")
        } else if isOverLimit {
            failure = TransferFailure(.bodySize, "body size limit exceeded")
        } else if let shortage = shortage ?? revocation {
            failure = TransferFailure(.memory, shortage)
            body = []
        } else if let problem = bounds.problem ?? head.problem {
            failure = TransferFailure(.network, "net/http: HTTP/1.x transport connection broken: \(problem)")
        } else if now >= current.deadline {
            // The loop may see an answer after its deadline that arrived before it; such an answer is late, too.
            failure = TransferFailure(.timeout, "context deadline exceeded")
        } else if let chunkProblem {
            failure = TransferFailure(.network, chunkProblem)
        } else if !isCutOff, code == CURLE_OK, head.isChunked, head.status >= 200, head.status != 204,
            head.status != 304,
            !chunks.isComplete
        {
            failure = TransferFailure(.network, "unexpected EOF")
        } else if code == CURLE_UNSUPPORTED_PROTOCOL, isSpoilt(current) {
            isRepeated = true
            set(current)
            _ = ccurl_set_long(handle, CURLOPT_FRESH_CONNECT, 1)
            return true
        } else if !isCutOff, code != CURLE_OK {
            failure = networkFailure(code, current)
        } else if let next = redirected(current) {
            request = next
            head = ResponseHead()
            bounds = HeadBounds()
            isCutOff = false
            body.removeAll(keepingCapacity: true)
            set(next)
            return true
        }
        return false
    }

    /// Whether an older connection was used that had unexpected bytes after its last answer, and the request may be
    /// repeated.
    private func isSpoilt(_ request: TransferRequest) -> Bool {
        var newConnections = 1
        _ = ccurl_get_long(handle, CURLINFO_NUM_CONNECTS, &newConnections)
        return newConnections == 0 && !isRepeated && request.method == "GET" && request.body.isEmpty
            && head.status == 0
    }

    /// Calls `onEnd`.
    func end() {
        let onEnd = self.onEnd
        self.onEnd = nil
        onEnd?(self)
    }

    /// The reason why the body was revoked; nil if it was not.
    package var revocation: String? { share.isRevoked ? share.shortage : nil }

    /// Ends a run because other requests need the memory of its body.
    func giveMemoryUp() {
        giveUp(TransferFailure(.memory, share.shortage))
        body = []
    }

    /// Fails a transfer that never ran, or whose run was given up.
    func giveUp(_ failure: TransferFailure) { if self.failure == nil { self.failure = failure } }

    /// The request that follows the answer's redirect; nil if there is none, or with `failure` set if it is refused.
    private func redirected(_ request: TransferRequest) -> TransferRequest? {
        guard options.config.followRedirects, head.isRedirect, let location = head.location
        else { return nil }
        let keepsMethod = head.status >= 307
        // A repeated request without its body would be wrong, so the redirect is not followed.
        if !keepsMethod, request.method != "GET", !request.body.isEmpty { return nil }
        guard redirects < Self.maxRedirects else {
            failure = TransferFailure(.setup, "stopped after 10 redirects")
            return nil
        }
        let target = request.url.resolving(location)
        guard let url = URLParts(target), url.scheme == "http" || url.scheme == "https" else {
            let scheme = target.prefix { $0 != ":" }.lowercased()
            failure = TransferFailure(.setup, "unsupported protocol scheme \(GoQuote.quote(scheme))")
            return nil
        }
        redirects += 1
        var next = request
        next.url = url
        if !keepsMethod {
            next.method = "GET"
            next.body = []
        }
        if !request.url.trusts(url) {
            if request.isBodySecret, !next.body.isEmpty {
                failure = TransferFailure(.setup, "redirect to another host: \(GoQuote.quote(url.authority))")
                return nil
            }
            next.credentials = request.credentials.withoutSecrets
        }
        return next
    }

    /// The error in the words of Go's client.
    private func networkFailure(_ code: CURLcode, _ request: TransferRequest) -> TransferFailure {
        let url = request.url
        func network(_ text: String) -> TransferFailure { TransferFailure(.network, text) }
        switch code {
        case CURLE_OPERATION_TIMEDOUT: return TransferFailure(.timeout, "context deadline exceeded")
        case CURLE_COULDNT_RESOLVE_HOST: return network("dial tcp: lookup \(url.host): no such host")
        case CURLE_COULDNT_CONNECT:
            var number = 0
            _ = ccurl_get_long(handle, CURLINFO_OS_ERRNO, &number)
            let reason =
                number > 0 ? String(cString: strerror(Int32(truncatingIfNeeded: number))) : "connection refused"
            let place = request.unixSocket.isEmpty ? "tcp \(url.authority)" : "unix \(request.unixSocket)"
            return network("dial \(place): connect: \(reason.lowercased())")
        case CURLE_GOT_NOTHING: return network("EOF")
        case CURLE_PARTIAL_FILE: return network("unexpected EOF")
        case CURLE_RECV_ERROR:
            var number = 0
            _ = ccurl_get_long(handle, CURLINFO_OS_ERRNO, &number)
            if number == Int(ECONNRESET) { return network("read: connection reset by peer") }
            return network(head.status == 0 ? "EOF" : "unexpected EOF")
        case CURLE_OUT_OF_MEMORY:
            return network("net/http: server response headers exceeded \(CURL_MAX_HTTP_HEADER) bytes; aborted")
        case CURLE_URL_MALFORMAT: return network("invalid URL")
        case CURLE_PEER_FAILED_VERIFICATION:
            return network("tls: failed to verify certificate: \(curlText(code, request))")
        default: return network(curlText(code, request))
        }
    }

    private func curlText(_ code: CURLcode, _ request: TransferRequest) -> String {
        let text = String(cString: errorText)
        if text.isEmpty { return String(cString: curl_easy_strerror(code)) }
        // curl shows proxies with their passwords.
        return ConfigURL.shownInText(
            text, urls: [ProxyChoice(request.url, options.config.proxy).proxy, request.url.text])
    }

    /// The body without its content coding, which servers may use without being asked.
    ///
    /// - Parameters:
    ///   - limit: A body of more bytes is an error.
    ///   - clock: The clock of the deadline. It is checked, because a small body can cost much time.
    func decodedBody(
        limit: Int, clock: () -> Int64 = { SystemClock().monotonic() }
    ) throws(TransferFailure) -> [UInt8] {
        guard BodyCoding(head.contentEncoding) == .gzip else { return body }
        var out: [UInt8] = []
        var (isShort, isLate) = (false, false)
        let sent = body.count
        let deadline = request?.deadline ?? .max
        let failure = body.withUnsafeBytes { bytes -> GzipFailure? in
            do throws(GzipFailure) {
                try GzipDecoder().decode(bytes, into: &out, canAllocate: { AddressSpace.canAllocate($0) }) { size in
                    if size > limit { return false }
                    isLate = clock() > deadline
                    if isLate { return false }
                    isShort = !share.grow(to: sent &+ size)
                    return !isShort
                }
                return nil
            } catch {
                return error
            }
        }
        guard let failure else { return out }
        if isLate { throw TransferFailure(.timeout, "context deadline exceeded") }
        if isShort || failure == .outOfMemory { throw TransferFailure(.memory, Self.noMemory) }
        if failure == .stopped { throw TransferFailure(.bodySize, "body size limit exceeded") }
        throw TransferFailure(.network, "\(failure)")
    }

    /// The failure as Go's client prints it: errors of the body have no URL.
    package var failureText: String {
        guard let failure else { return "" }
        guard let request, !head.isComplete || failure.kind == .setup else {
            return failure.description
        }
        let method = request.method.prefix(1) + request.method.dropFirst().lowercased()
        return "\(method) \(GoQuote.quote(ConfigURL.shown(request.url.text))): \(failure)"
    }
}

/// Top level, because a closure handed to C must carry no isolation check.
private func transferReceivesBody(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ me: UnsafeMutableRawPointer?
) -> Int {
    guard let data, let me else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: data, count: size &* count)
    return Unmanaged<Transfer>.fromOpaque(me).takeUnretainedValue().receive(bytes) ? bytes.count : 0
}

private func transferReceivesHeader(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ me: UnsafeMutableRawPointer?
) -> Int {
    guard let data, let me else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: data, count: size &* count)
    return Unmanaged<Transfer>.fromOpaque(me).takeUnretainedValue().receiveHeader(bytes) ? bytes.count : 0
}
