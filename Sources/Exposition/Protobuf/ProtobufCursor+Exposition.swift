import Encoding

/// The shared reader of protobuf, with the errors of pages.
extension ProtobufCursor {
    /// The next field, or nil at the message's end.
    mutating func field() throws(ExpositionError) -> (number: Int, content: Content)? {
        do throws(ProtobufError) { return try next() } catch { throw ExpositionError(error) }
    }

    /// The range of the next family of the page, or nil at its end.
    mutating func family() throws(ExpositionError) -> Range<Int>? {
        do throws(ProtobufError) { return try message() } catch { throw ExpositionError(error) }
    }

    /// Appends the signed integers of a repeated field, packed or not.
    func deltas(_ content: Content, _ out: inout [Int64]) throws(ExpositionError) {
        do throws(ProtobufError) {
            try varints(content) { out.append(Zigzag.decode($0)) }
        } catch { throw ExpositionError(error) }
    }

    /// Appends the doubles of a repeated field, packed or not.
    func counts(_ content: Content, _ out: inout [Double]) throws(ExpositionError) {
        do throws(ProtobufError) { try doubles(content, to: &out) } catch { throw ExpositionError(error) }
    }
}

extension ExpositionError {
    /// A mistake in the bytes, in the words of the decoders that Prometheus uses.
    init(_ error: ProtobufError) {
        let message =
            switch error.cause {
            case .unfinished, .lengthBeyondEnd: "unexpected EOF"
            case .longVarint: "wrong varint"
            case .fieldNumber(let number): "illegal tag \(number)"
            case .wrongWireType(let wireType, let field): "wrong wireType = \(wireType) for field \(field)"
            case .unknownWireType(let wireType): "illegal wireType \(wireType)"
            }
        self.init("proto: \(message)", line: 0, column: error.offset)
    }
}
