import HTTP
import Remote

/// The flags of the web server: its addresses, its URL, and its content.
struct WebOptions: Sendable {
    let listenAddresses: [ListenAddress]
    /// The addresses as they were given.
    let givenAddresses: [String]
    /// The URL without a slash at its end.
    let externalURL: String
    /// The prefix: empty, or beginning with a slash and not ending with one.
    let routePrefix: String
    /// The web configuration file that was read before; nil without `--web.config.file`.
    let file: WebConfigFile?
    let maxConnections: Int
    /// ms.
    let readTimeout: Int64
    /// The regular expression of origins.
    let origins: String
    let pageTitle: String
    /// The directory of user files; empty for none.
    let userAssets: String
    let enablesLifecycle: Bool
    let enablesAdmin: Bool
    let enablesRemoteWrite: Bool
    let acceptedMessages: Set<RemoteWriteMessage>
    /// The largest limit of a search, 0 for none; nil if the search API is disabled.
    let maxSearchLimit: Int?

    /// Reads and checks the flags of the web server.
    ///
    /// - Throws: ``CommandLineError`` that names the flag.
    init(
        _ flags: ParsedFlags, _ features: Features, hostName: String, file: WebConfigFile?
    ) throws(CommandLineError) {
        givenAddresses = flags.all("web.listen-address")
        listenAddresses = try Self.addresses(givenAddresses)
        let given = flags.text("web.external-url")
        let scheme = file?.servesTLS == true ? "https" : "http"
        let external = try ExternalURL(
            given.isEmpty ? "\(scheme)://\(hostName):\(listenAddresses.first?.port ?? 9090)" : given)
        externalURL = external.text
        let prefix = flags.text("web.route-prefix")
        routePrefix = Self.trimmed(prefix.isEmpty ? external.path : prefix)
        acceptedMessages = try RemoteWriteMessage.set(
            flags.all("web.remote-write-receiver.accepted-protobuf-messages"))
        self.file = file
        maxConnections = flags.integer("web.max-connections")
        readTimeout = flags.duration("web.read-timeout")
        origins = flags.text("web.cors.origin")
        pageTitle = flags.text("web.page-title")
        userAssets = flags.text("web.user-assets")
        enablesLifecycle = flags.boolean("web.enable-lifecycle")
        enablesAdmin = flags.boolean("web.enable-admin-api")
        enablesRemoteWrite = flags.boolean("web.enable-remote-write-receiver")
        maxSearchLimit = features.contains(.searchAPI) ? flags.integer("web.search.max-limit") : nil
    }

    /// Reads the file of `--web.config.file`; nil without the flag.
    static func readFile(_ flags: ParsedFlags) -> WebConfigFile? {
        let path = flags.text("web.config.file")
        return path.isEmpty ? nil : WebConfigFile(path: path)
    }

    private static func addresses(_ texts: [String]) throws(CommandLineError) -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for text in texts {
            guard let address = ListenAddress(text) else {
                throw CommandLineError(
                    description: "--web.listen-address=\(text): expected HOST:PORT with a port of 0 to 65535, "
                        + "for instance 127.0.0.1:9090 or :9090")
            }
            addresses.append(address)
        }
        return addresses
    }

    /// A prefix with a slash before it and none after it; empty for the root.
    private static func trimmed(_ prefix: String) -> String {
        var rest = prefix[...]
        while rest.hasSuffix("/") { rest.removeLast() }
        rest = rest.drop { $0 == "/" }
        return rest.isEmpty ? "" : "/" + rest
    }
}

extension RemoteWriteMessage {
    /// Selects the messages of the flag, each value a name or a list with commas.
    static func set(_ values: [String]) throws(CommandLineError) -> Set<RemoteWriteMessage> {
        var messages: Set<RemoteWriteMessage> = []
        for name in values.flatMap({ $0.split(separator: ",") }) {
            guard let message = RemoteWriteMessage(rawValue: String(name)) else {
                throw CommandLineError(
                    description: "unknown remote write protobuf message \(name), supported: "
                        + allCases.map(\.rawValue).joined(separator: ", ")
                        + " (--web.remote-write-receiver.accepted-protobuf-messages)")
            }
            messages.insert(message)
        }
        return messages
    }
}
