/// The reason why a request has no answer.
package struct TransferFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// The request could not be made, for example because of a missing file or an invalid URL.
        case setup
        /// The network or the server failed.
        case network
        case timeout
        case cancelled
        /// The body is larger than the request allows.
        case bodySize
        /// The bodies of all requests together are larger than the limit of the process.
        case memory
    }
    package var kind: Kind
    /// The reason in the words of Go's client, without the URL.
    package var description: String

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
