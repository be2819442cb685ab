import Model

/// Writes the text of one series as the exposition formats have it, for ``SeriesText``: `name{a="b"}`, and
/// `{"my.name","my.label"="b"}` where names need quotes.
///
/// `LabelText` has the quoting rules.
struct SeriesTextWriter {
    /// Whether all names get quotes, so that no name has to be looked at.
    private let quotesAll: Bool
    /// Whether the braces are open, and the next part follows a comma.
    private var isOpen = false

    init(quotesAll: Bool = false) { self.quotesAll = quotesAll }

    /// Writes the name of the metric, which comes first.
    mutating func metric(_ name: String, to bytes: inout [UInt8]) {
        if quotesAll || !MetricName.isLegacy(name) {
            bytes.append(0x7B)
            isOpen = true
            LabelText.appendQuoted(name, to: &bytes)
        } else {
            bytes.append(contentsOf: name.utf8)
        }
    }

    mutating func label(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        bytes.append(isOpen ? 0x2C : 0x7B)
        isOpen = true
        if quotesAll || !LabelName.isLegacy(name) {
            LabelText.appendQuoted(name, to: &bytes)
        } else {
            bytes.append(contentsOf: name.utf8)
        }
        bytes.append(0x3D)
        LabelText.appendQuoted(value, to: &bytes)
    }

    /// Ends the series.
    mutating func end(to bytes: inout [UInt8]) {
        if isOpen { bytes.append(0x7D) }
    }

    /// Appends the name of a metric as lines of metadata have it.
    static func appendMetric(_ name: String, to bytes: inout [UInt8]) {
        if MetricName.isLegacy(name) {
            bytes.append(contentsOf: name.utf8)
        } else {
            LabelText.appendQuoted(name, to: &bytes)
        }
    }
}
