import Config
import Discovery

/// The bytes of a name server.
enum DNSTarget {
    /// Reads the answer to a question, which the first byte chooses, and a `resolv.conf`.
    static func answer(_ bytes: UnsafeRawBufferPointer) {
        let types = DNSDiscoveryConfig.RecordType.allCases
        guard let first = bytes.first else { return }
        let type = types[Int(first) % types.count]
        let message = Array(bytes.dropFirst())
        let id = message.count > 1 ? UInt16(message[0]) << 8 | UInt16(message[1]) : 0
        // The name of the files in the corpus.
        if let question = DNSMessage.Question(id: id, name: "a.example.", type: type) {
            _ = try? DNSMessage.answer(message, to: question)
            // Whatever is read as a name can be asked for.
            if let answer = try? DNSMessage.answer(message, to: question) {
                for record in answer.records {
                    guard case .nameServer(let name) = record, name != "." else { continue }
                    if DNSMessage.Question(id: id, name: name, type: type) == nil { fatalError("no name: \(name)") }
                }
            }
        }
        let text = String(decoding: message, as: UTF8.self)
        let config = ResolverConfig(text)
        for name in config.names(text) { _ = DNSMessage.Question(id: id, name: name, type: type) }
    }
}
