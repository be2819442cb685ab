import HTTP
import JSON
import Model
import Platform
import PromQL

/// An error in an answer of the API.
struct APIError: Error {
    var status: Int
    var type: String
    var message: String

    static func badData(_ message: String) -> APIError { APIError(status: 400, type: "bad_data", message: message) }
    static func execution(_ message: String) -> APIError { APIError(status: 422, type: "execution", message: message) }
    static func internalError(_ message: String) -> APIError {
        APIError(status: 500, type: "internal", message: message)
    }
    static func unavailable(_ message: String) -> APIError {
        APIError(status: 500, type: "unavailable", message: message)
    }

    /// An invalid parameter.
    static func parameter(_ name: String, _ cause: String) -> APIError {
        badData("invalid parameter \"\(name)\": \(cause)")
    }

    init(status: Int, type: String, message: String) {
        self.status = status
        self.type = type
        self.message = message
    }

    init(_ error: QueryError) {
        switch error {
        case .parse(let text):
            self.init(status: 400, type: "bad_data", message: "invalid parameter \"query\": " + text)
        case .execution(let text): self.init(status: 422, type: "execution", message: text)
        case .timeout(let text): self.init(status: 503, type: "timeout", message: text)
        case .canceled(let text): self.init(status: 499, type: "canceled", message: text)
        case .storage(let text): self.init(status: 500, type: "internal", message: text)
        }
    }
}

/// The envelope of all answers of the v1 API.
enum Envelope {
    static func success(
        warnings: [String] = [], infos: [String] = [], capacity: Int = 1024, _ data: (inout JSONWriter) throws -> Void
    ) rethrows -> HTTPResponse {
        var writer = JSONWriter(capacity: capacity)
        try writer.object { writer in
            writer.key("status")
            writer.string("success")
            writer.key("data")
            try data(&writer)
            remarks("warnings", warnings, &writer)
            remarks("infos", infos, &writer)
        }
        return .json(writer.bytes)
    }

    private static func remarks(_ name: String, _ texts: [String], _ writer: inout JSONWriter) {
        guard !texts.isEmpty else { return }
        writer.key(name)
        writer.array { writer in
            for text in texts.prefix(10) { writer.string(text) }
            if texts.count > 10 {
                writer.string("\(texts.count - 10) more \(name == "warnings" ? "warning" : "info") annotations omitted")
            }
        }
    }

    static func failure(_ error: APIError) -> HTTPResponse {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("status")
            writer.string("error")
            writer.key("errorType")
            writer.string(error.type)
            writer.key("error")
            writer.string(error.message)
        }
        return .json(writer.bytes, status: error.status)
    }

    /// The answer to a change for which there is no space now.
    private static func later(_ text: String) -> HTTPResponse {
        var response = failure(APIError(status: 503, type: "unavailable", message: text))
        response.headers.append(("Retry-After", "5"))
        return response
    }

    /// Converts a handler that throws into one that returns an answer.
    static func handler(
        _ body: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse
    ) -> Router.Handler {
        { request in
            do {
                return try body(request)
            } catch let error as APIError {
                return failure(error)
            } catch let error as QueryError {
                return failure(APIError(error))
            } catch let error as StoreBusy {
                return later("\(error)")
            } catch let error as FileError where error.isFull {
                return later("\(error)")
            } catch let error as any MemoryShortage where error.isOutOfMemory {
                return later("\(error)")
            } catch {
                return failure(.internalError("\(error)"))
            }
        }
    }
}
