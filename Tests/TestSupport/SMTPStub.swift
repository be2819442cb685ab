import Platform
import Synchronization

/// A small SMTP server for tests, which keeps what clients send.
public final class SMTPStub: Sendable {
    /// One connection: the client's lines, and the mail without stuffed dots.
    public struct Conversation: Sendable {
        public var lines: [String] = []
        public var message = ""
    }

    /// The replies of a server, each with its code.
    public struct Behaviour: Sendable {
        /// What `EHLO` announces.
        public var extensions = ["8BITMIME"]
        /// Replies in place of the usual ones, by the beginnings of commands.
        public var replies: [(command: String, reply: String)] = []
        /// Whether the server never answers to the end of a mail.
        public var hangs = false

        public init() {}
    }

    public let port: UInt16
    private let listener: LoopbackSocket
    private let state = Mutex((conversations: [Conversation](), open: [LoopbackSocket](), isListening: true))
    private let behaviour: Behaviour

    /// Starts to listen on a free port; nil if the machine has none.
    public init?(_ behaviour: Behaviour = Behaviour()) {
        guard let (socket, port) = LoopbackSocket.listen() else { return nil }
        listener = socket
        self.port = port
        self.behaviour = behaviour
        let started = Thread.start("smtp-stub") { [self] in
            while let connection = listener.accept() {
                state.withLock { $0.open.append(connection) }
                _ = Thread.start("smtp-stub-conn") { [self] in serve(connection) }
            }
            // Closed by the thread that accepts: its number may be another socket's afterwards.
            state.withLock { state in
                state.isListening = false
                listener.close()
            }
        }
        if started == nil { return nil }
    }

    /// The conversations that are over.
    public var conversations: [Conversation] { state.withLock { $0.conversations } }

    /// The conversations once `count` of them are over.
    public func conversations(after count: Int) async -> [Conversation] {
        while conversations.count < count { await Task.yield() }
        return conversations
    }

    /// The connections so far.
    public var connectionCount: Int { state.withLock { $0.open.count } }

    public func stop() {
        state.withLock { state in
            if state.isListening { listener.shutDown() }
            for connection in state.open { connection.shutDown() }
        }
    }

    private func serve(_ connection: LoopbackSocket) {
        var conversation = Conversation()
        var rest: [UInt8] = []
        func line() -> String? {
            while true {
                if let end = rest.firstIndex(of: 0x0A) {
                    let line = rest[..<end].filter { $0 != 0x0D }
                    rest.removeSubrange(...end)
                    return String(decoding: line, as: UTF8.self)
                }
                let part = connection.receive()
                if part.isEmpty { return nil }
                rest += part
            }
        }
        func reply(_ text: String) { connection.send(Array((text + "\r\n").utf8)) }
        defer { connection.shutDown() }
        reply("220 stub ESMTP")
        while let command = line() {
            conversation.lines.append(command)
            let own = behaviour.replies.first { command.hasPrefix($0.command) }
            if let own {
                reply(own.reply)
                continue
            }
            let verb = command.prefix { $0 != " " }
            switch verb {
            case "EHLO":
                let lines = ["stub"] + behaviour.extensions
                for (index, line) in lines.enumerated() { reply("250\(index + 1 < lines.count ? "-" : " ")\(line)") }
            case "AUTH": authenticate(&conversation, command, line, reply)
            case "DATA":
                reply("354 go")
                var message: [String] = []
                while let text = line(), text != "." {
                    message.append(text.hasPrefix(".") ? String(text.dropFirst()) : text)
                }
                conversation.message = message.joined(separator: "\r\n")
                if behaviour.hangs {
                    while line() != nil {}
                    return
                }
                reply("250 queued")
            case "QUIT":
                reply("221 bye")
                state.withLock { $0.conversations.append(conversation) }
                return
            default: reply("250 ok")
            }
        }
        state.withLock { $0.conversations.append(conversation) }
    }

    private func authenticate(
        _ conversation: inout Conversation, _ command: String, _ line: () -> String?, _ reply: (String) -> Void
    ) {
        let words = command.split(separator: " ").map(String.init)
        func ask(_ challenge: String) {
            reply("334 \(challenge)")
            if let answer = line() { conversation.lines.append(answer) }
        }
        switch words.dropFirst().first {
        case "PLAIN": if words.count < 3 { ask("") }
        case "LOGIN":
            if words.count < 3 { ask("VXNlcm5hbWU6") }
            ask("UGFzc3dvcmQ6")
        case "CRAM-MD5": ask("PDEuMkBzdHViPg==")
        default: break
        }
        reply("235 ok")
    }
}
