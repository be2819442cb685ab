import HTTP
import JSON
import PromQL

/// The memory and time of an answer that can be large: charged while it grows, ended when its client has disconnected.
///
/// One thread uses it.
final class AnswerAccount {
    let memory: MemoryAccount
    let deadline: RequestDeadline
    /// The bytes of the body for which the account has been charged, or need not be.
    private var charged = smallBody
    private var steps = 0

    /// The size up to which a body is not charged while it is written.
    static let smallBody = 1 << 16
    /// The steps of work, or bytes of the body, after which the deadline is checked.
    static let interval = 1 << 16
    /// The bytes that are held for each byte of a body under construction: an array grows by doubling.
    private static let bytesPerByte = 2

    init(_ request: HTTPRequest, _ engine: QueryEngine) {
        memory = engine.account()
        deadline = RequestDeadline(request, engine)
    }

    /// Counts work, and checks the deadline at each interval.
    func work(_ count: Int) throws(QueryError) {
        steps &+= count
        guard steps >= Self.interval || steps < 0 else { return }
        steps = 0
        try deadline.check()
    }

    /// Called after each part of the body with its size so far.
    func grew(to bytes: Int) throws {
        guard bytes > charged else { return }
        let next = bytes + Self.interval
        try memory.charge((next - charged) * Self.bytesPerByte)
        charged = next
        try deadline.check()
    }

    /// The response, which keeps the charge of its body until it is sent.
    func kept(_ response: HTTPResponse) -> HTTPResponse {
        var response = response
        memory.settle(Self.held(response))
        response.keeps = memory
        return response
    }

    /// The bytes of a body while it is sent: it may be compressed before.
    fileprivate static func held(_ response: HTTPResponse) -> Int { response.body.count + response.body.count / 8 }
}

extension APIContext {
    /// Answers with the result of `body`, which charges the account.
    ///
    /// The answer stays charged until it is sent.
    func answer(_ request: HTTPRequest, _ body: (AnswerAccount) throws -> HTTPResponse) throws -> HTTPResponse {
        let answer = AnswerAccount(request, engine)
        do {
            return answer.kept(try body(answer))
        } catch let excess as MemoryLimitExceeded {
            throw APIError.execution(excess.listMessage)
        }
    }

    /// Answers as ``answer(_:_:)`` does, when it is the request's turn.
    ///
    /// The time in the queue is part of the time of the answer.
    func answer(
        _ request: HTTPRequest, _ admission: QueryAdmission, _ kind: QueryAdmission.Kind,
        _ body: (AnswerAccount) throws -> HTTPResponse
    ) throws -> HTTPResponse {
        try answer(request) { answer in
            try admission.run(kind, request, engine) { try body(answer) }
        }
    }

    /// The response of any handler; a large body that is not charged yet is charged until it is sent.
    func charged(_ response: HTTPResponse) throws(APIError) -> HTTPResponse {
        guard response.keeps == nil, response.body.count > AnswerAccount.smallBody else { return response }
        let memory = engine.account()
        do throws(MemoryLimitExceeded) {
            try memory.charge(AnswerAccount.held(response))
        } catch {
            throw .execution(error.message(answer: response.body.count))
        }
        var response = response
        response.keeps = memory
        return response
    }
}

extension JSONWriter {
    /// Writes an array of `elements`, and charges the answer after each.
    mutating func array<Elements: Sequence>(
        _ elements: Elements, _ answer: AnswerAccount, _ write: (Elements.Element, inout JSONWriter) throws -> Void
    ) throws {
        try array { writer in
            for element in elements {
                try write(element, &writer)
                try answer.grew(to: writer.bytes.count)
            }
        }
    }
}
