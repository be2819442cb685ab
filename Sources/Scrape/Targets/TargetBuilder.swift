import Config
import Discovery
import GoCompatibility
import HTTP
import Model

/// A target that will be scraped, after discovery and relabelling.
struct TargetDefinition: Sendable {
    /// All labels before relabelling.
    var discovered: Labels
    /// The labels of its samples.
    var labels: Labels
    var url: String
    /// The parsed ``url`` of the request.
    var requestURL: URLParts
    /// If not nil, every scrape fails with this error, without a request.
    var urlProblem: String?
    var unixSocket: String
    /// ms.
    var interval: Int64
    /// ms.
    var timeout: Int64
    var scrapeNativeHistograms: Bool
    var alwaysScrapeClassicHistograms: Bool
    var convertClassicHistograms: Bool
    /// The identity of the target, which also sets the phase of its scrapes.
    var identity: UInt64
}

/// Makes targets from target groups.
struct TargetBuilder {
    /// The result for one discovered target.
    enum Outcome {
        case active(TargetDefinition)
        case dropped(Labels)
        case failed(String)
    }

    let config: ScrapeConfig

    /// The labels of settings that may change without changing the identity of the target.
    private static let settingLabels: Set<String> = [
        "__scrape_interval__", "__scrape_timeout__", "__convert_classic_histograms_to_nhcb__",
        "__always_scrape_classic_histograms__", "__scrape_native_histograms__",
    ]

    /// The labels before relabelling.
    func discoveredLabels(_ target: [Label], _ group: TargetGroup) -> Labels {
        var builder = LabelsBuilder()
        builder.set(group.labels + target)
        func standard(_ name: String, _ value: String) {
            if builder.get(name).isEmpty { builder.set(name, value) }
        }
        standard("job", config.jobName)
        standard("__scrape_interval__", DurationText.format(config.scrapeInterval))
        standard("__scrape_timeout__", DurationText.format(config.scrapeTimeout))
        standard("__metrics_path__", config.metricsPath)
        standard("__scheme__", config.scheme)
        standard("__convert_classic_histograms_to_nhcb__", "\(config.convertClassicHistogramsToNHCB)")
        standard("__always_scrape_classic_histograms__", "\(config.alwaysScrapeClassicHistograms)")
        standard("__scrape_native_histograms__", "\(config.scrapeNativeHistograms)")
        for (key, values) in config.params {
            if let first = values.first { standard("__param_\(key)", first) }
        }
        return builder.labels()
    }

    /// Relabels and checks one discovered target.
    func build(_ target: [Label], _ group: TargetGroup) -> Outcome {
        let discovered = discoveredLabels(target, group)
        var builder = LabelsBuilder(discovered)
        guard Relabel.apply(config.relabelRules, to: &builder) else { return .dropped(discovered) }
        let unixSocket = builder.get("__unix_socket__")
        var address = builder.get("__address__")
        if address.isEmpty {
            guard !unixSocket.isEmpty else { return .failed("no address") }
            address = "localhost"
        }
        if address.utf8.contains(0x2F) {
            return .failed("\(GoQuote.quote(ConfigURL.shown(address))) is not a valid hostname")
        }
        let interval: Int64
        let timeout: Int64
        do throws(DurationText.ParseError) {
            interval = try DurationText.parse(builder.get("__scrape_interval__"))
        } catch {
            return .failed("error parsing scrape interval: \(error)")
        }
        do throws(DurationText.ParseError) {
            timeout = try DurationText.parse(builder.get("__scrape_timeout__"))
        } catch {
            return .failed("error parsing scrape timeout: \(error)")
        }
        guard interval > 0 else { return .failed("scrape interval cannot be 0") }
        guard timeout > 0 else { return .failed("scrape timeout cannot be 0") }
        guard timeout <= interval else {
            let (t, i) = (builder.get("__scrape_timeout__"), builder.get("__scrape_interval__"))
            return .failed(
                "scrape timeout cannot be greater than scrape interval (\(GoQuote.quote(t)) > \(GoQuote.quote(i)))")
        }
        // Relabelling may remove one of these labels; then the job's own setting is used.
        func setting(_ name: String, _ configured: Bool) -> Bool? {
            let text = builder.get(name)
            return text.isEmpty ? configured : Self.bool(text)
        }
        guard let native = setting("__scrape_native_histograms__", config.scrapeNativeHistograms) else {
            return .failed(Self.notBoolean("__scrape_native_histograms__", builder))
        }
        guard let classic = setting("__always_scrape_classic_histograms__", config.alwaysScrapeClassicHistograms)
        else { return .failed(Self.notBoolean("__always_scrape_classic_histograms__", builder)) }
        guard let convert = setting("__convert_classic_histograms_to_nhcb__", config.convertClassicHistogramsToNHCB)
        else { return .failed(Self.notBoolean("__convert_classic_histograms_to_nhcb__", builder)) }
        // `labelmap` makes the empty name from a group that does not exist; series with it could not be stored.
        guard builder.get("").isEmpty else { return .failed("invalid label name: \"\"") }
        if builder.get("instance").isEmpty { builder.set("instance", address) }
        builder.removeAll { $0.hasPrefix("__meta_") }
        let all = builder.labels()
        let labels = all.filter { !($0.count >= 2 && $0[0] == 0x5F && $0[1] == 0x5F) }
        let url = url(builder, address: address)
        let (requestURL, problem) = RequestAddress.check(address, url: url)
        let identityLabels = all.removing(Array(Self.settingLabels))
        return .active(
            TargetDefinition(
                discovered: discovered, labels: labels, url: url, requestURL: requestURL, urlProblem: problem,
                unixSocket: unixSocket, interval: interval,
                timeout: timeout, scrapeNativeHistograms: native, alwaysScrapeClassicHistograms: classic,
                convertClassicHistograms: convert, identity: Self.identity(identityLabels.stableHash, url)))
    }

    private static func notBoolean(_ name: String, _ builder: LabelsBuilder) -> String {
        "error parsing \(name): strconv.ParseBool: parsing \(GoQuote.quote(builder.get(name))): invalid syntax"
    }

    /// Go's `strconv.ParseBool`.
    private static func bool(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "TRUE", "true", "True": true
        case "0", "f", "F", "FALSE", "false", "False": false
        default: nil
        }
    }

    /// FNV-1a of the decimal hash, at least 16 digits wide, and the URL.
    static func identity(_ hash: UInt64, _ url: String) -> UInt64 {
        FNV1a.hash((hash.zeroPadded(16) + url).utf8)
    }

    private func url(_ builder: LabelsBuilder, address: String) -> String {
        var params = config.params
        var places: [ExactText: Int] = [:]
        for (index, param) in params.enumerated() where places[ExactText(param.key)] == nil {
            places[ExactText(param.key)] = index
        }
        // Each label has a parameter of its own.
        for label in builder.current where label.name.hasPrefix("__param_") {
            let key = String(label.name.dropFirst(8))
            if let index = places[ExactText(key)] {
                if params[index].values.isEmpty {
                    params[index].values = [label.value]
                } else {
                    params[index].values[0] = label.value
                }
            } else {
                params.append((key, [label.value]))
            }
        }
        var query = ""
        for (key, values) in params.sorted(by: { $0.key.isExactlyBefore($1.key) }) {
            for value in values {
                query += "\(query.isEmpty ? "?" : "&")\(URLText.queryEscape(key))=\(URLText.queryEscape(value))"
            }
        }
        var path = builder.get("__metrics_path__")
        // A path with its own query keeps the `?` escaped, as Go's URL type prints a path.
        path = URLText.pathEscape(path.hasPrefix("/") || path.isEmpty ? path : "/" + path)
        let scheme = builder.get("__scheme__")
        return "\(scheme.isEmpty ? "" : scheme + ":")//\(URLText.hostEscape(address))\(path)\(query)"
    }
}

/// FNV-1a with 64 bits.
enum FNV1a {
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }
}

/// Percent-encoding as Go's `net/url` does it.
enum URLText {
    private static let hex = Array("0123456789ABCDEF".utf8)

    private static func escape(_ text: String, keeping extra: StaticString, spaceAsPlus: Bool) -> String {
        var out: [UInt8] = []
        for byte in text.utf8 {
            let letter = byte | 0x20
            let isPlain =
                (letter >= 0x61 && letter <= 0x7A) || (byte >= 0x30 && byte <= 0x39)
                || byte == 0x2D || byte == 0x5F || byte == 0x2E || byte == 0x7E
            let isKept = extra.withUTF8Buffer { $0.contains(byte) }
            if isPlain || isKept {
                out.append(byte)
            } else if byte == 0x20, spaceAsPlus {
                out.append(0x2B)
            } else {
                out += [0x25, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// For keys and values of a query.
    static func queryEscape(_ text: String) -> String { escape(text, keeping: "", spaceAsPlus: true) }

    /// For a host with or without a port: escapes characters that would end the host or begin another part of the URL.
    static func hostEscape(_ text: String) -> String { escape(text, keeping: "!$&'()*+,;=:[]<>\"", spaceAsPlus: false) }

    /// For a path.
    static func pathEscape(_ text: String) -> String { escape(text, keeping: "/$&+,:;=@", spaceAsPlus: false) }
}
