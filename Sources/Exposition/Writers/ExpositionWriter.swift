import GoCompatibility
import Model

/// Writes metrics as Prometheus text or OpenMetrics.
public struct ExpositionWriter {
    /// The output so far; complete after ``finish()``.
    public private(set) var bytes: [UInt8] = []
    private let isOpenMetrics: Bool
    private let escaping: NameEscaping
    private var type = MetricType.unknown
    /// The name on the family's metadata lines.
    private var family = ""

    public init(isOpenMetrics: Bool = false, escaping: NameEscaping = .allowUTF8) {
        self.isOpenMetrics = isOpenMetrics
        self.escaping = escaping
    }

    /// Begins a family; its samples follow.
    ///
    /// In OpenMetrics a counter's family has its name without `_total`.
    public mutating func family(_ name: String, _ type: MetricType, help: String? = nil, unit: String = "") {
        self.type = type
        family = name
        if isOpenMetrics, type == .counter, name.hasSuffix("_total") { family = String(name.dropLast(6)) }
        if let help {
            metadata("HELP")
            LabelText.appendEscaped(help, escapesQuotes: isOpenMetrics, to: &bytes)
            bytes.append(0x0A)
        }
        metadata("TYPE")
        append(typeName)
        bytes.append(0x0A)
        if isOpenMetrics, !unit.isEmpty, family.hasSuffix("_" + unit) {
            metadata("UNIT")
            append(unit)
            bytes.append(0x0A)
        }
    }

    private var typeName: String {
        if isOpenMetrics { return type.rawValue }
        switch type {
        case .counter, .gauge, .histogram, .summary: return type.rawValue
        case .gaugeHistogram: return "histogram"
        case .info, .stateSet: return "gauge"
        case .unknown: return "untyped"
        }
    }

    private mutating func metadata(_ word: String) {
        append("# \(word) ")
        SeriesTextWriter.appendMetric(escaping.escape(family), to: &bytes)
        bytes.append(0x20)
    }

    /// Writes one sample.
    ///
    /// - Parameters:
    ///   - name: The metric's whole name, with suffixes such as `_bucket`.
    ///   - timestamp: ms since the epoch, if it is shown.
    public mutating func sample(
        _ name: String, _ labels: [(name: String, value: String)] = [], value: Double, timestamp: Int64? = nil
    ) {
        var name = escaping.escape(name)
        if isOpenMetrics, type == .counter, !name.hasSuffix("_total"), !name.hasSuffix("_created") { name += "_total" }
        var series = SeriesTextWriter()
        series.metric(name, to: &bytes)
        for label in labels {
            let isBound = isOpenMetrics && (label.name == "le" || label.name == "quantile")
            series.label(
                escaping.escape(label.name, isMetric: false),
                isBound ? LabelFloat.normalised(label.value) : label.value, to: &bytes)
        }
        series.end(to: &bytes)
        bytes.append(0x20)
        if isOpenMetrics { append(LabelFloat.text(value)) } else { FloatText.appendGeneral(value, to: &bytes) }
        if let timestamp {
            bytes.append(0x20)
            if isOpenMetrics {
                seconds(timestamp)
            } else {
                FloatText.appendInt(timestamp, to: &bytes)
            }
        }
        bytes.append(0x0A)
    }

    /// Writes one sample of the series `labels`.
    public mutating func sample(_ labels: Labels, value: Double, timestamp: Int64? = nil) {
        let name = labels.metricName
        let rest = labels.pairs.filter { $0.name != Labels.nameLabel }.map { (name: $0.name, value: $0.value) }
        sample(name, rest, value: value, timestamp: timestamp)
    }

    /// Ends the output and returns it.
    public mutating func finish() -> [UInt8] {
        if isOpenMetrics { append("# EOF\n") }
        return bytes
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Writes milliseconds as seconds with as many places as necessary.
    private mutating func seconds(_ ms: Int64) {
        if ms < 0 { bytes.append(0x2D) }
        let (whole, rest) = ms.magnitude.quotientAndRemainder(dividingBy: 1000)
        append("\(whole)")
        guard rest > 0 else { return }
        var places = rest.zeroPadded(3)
        while places.hasSuffix("0") { places.removeLast() }
        append("." + places)
    }
}
