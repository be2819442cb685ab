import Config
import Glibc

/// The proxy for a URL, selected as Go's client selects it.
struct ProxyChoice: Equatable {
    /// The proxy's URL; empty for none.
    var proxy = ""
    /// The hosts that are connected to directly.
    var exceptions = ""

    init(
        _ url: URLParts, _ config: ProxyConfig,
        environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }
    ) {
        if config.isFromEnvironment {
            func variable(_ name: String) -> String { environment(name) ?? environment(name.lowercased()) ?? "" }
            proxy = variable(url.scheme == "https" ? "HTTPS_PROXY" : "HTTP_PROXY")
            exceptions = variable("NO_PROXY")
        } else {
            proxy = config.url
            exceptions = config.exceptions
        }
        // With exceptions, and from the environment, this machine is always connected to directly.
        let usesRules = config.isFromEnvironment || !config.exceptions.isEmpty
        let host = url.host.lowercased()
        if usesRules, host == "localhost" || host == "::1" || host.hasPrefix("127.") { proxy = "" }
        if proxy.isEmpty { exceptions = "" }
    }
}
