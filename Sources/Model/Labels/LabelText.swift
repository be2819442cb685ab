import GoCompatibility

/// The text of names, values, labels and series, and the quoting rules of its two forms.
///
/// - Messages and expressions have Go's quotes: `up{job="a", "my.label"="b"}`. `PromQLParser` reads this form.
/// - Pages of the exposition formats escape a backslash, a quote and the end of a line, and nothing else. `SeriesText`
///   reads this form, and `SeriesTextWriter` writes it.
///
/// In both, a name that was no name before UTF-8 names has the quotes of a value, and such a name of a metric is in the
/// braces: `{"my.metric", job="a"}`.
public enum LabelText {
    // MARK: Messages and expressions

    /// The name of a label, in quotes where it needs them.
    public static func name(_ name: String) -> String { LabelName.isLegacy(name) ? name : GoQuote.quote(name) }

    /// `name="value"`, or with the sign of another kind of matcher.
    public static func pair(_ name: String, _ sign: String, _ value: String) -> String {
        "\(self.name(name))\(sign)\(GoQuote.quote(value))"
    }

    /// `up{job="a"}`, and `{…}` without a name.
    static func series(_ labels: Labels) -> String {
        let (metric, rest) = (labels.metricName, labels.withoutName)
        if MetricName.isLegacy(metric) { return rest.isEmpty ? metric : metric + rest.description }
        let parts = (metric.isEmpty ? [] : [GoQuote.quote(metric)]) + rest.pairs.map { pair($0.name, "=", $0.value) }
        return "{" + parts.joined(separator: ", ") + "}"
    }

    /// `{__name__="up", job="a"}`, in the order given.
    ///
    /// - Parameter limit: About as many bytes are enough for the reader: names and values are cut to it, and labels after
    ///   it left out.
    public static func list(_ pairs: [(name: String, value: String)], limit: Int = .max) -> String {
        var text = "{"
        for (at, pair) in pairs.enumerated() where text.utf8.count < limit {
            if at > 0 { text += ", " }
            text += self.pair(cut(pair.name, limit), "=", cut(pair.value, limit))
        }
        return text + "}"
    }

    /// A set as ``list(_:limit:)`` shows it, of which nothing after the limit is read.
    public static func list(_ labels: Labels, limit: Int) -> String {
        var pairs: [(name: String, value: String)] = []
        labels.bytes.withUnsafeBufferPointer { buffer in
            var cursor = Labels.Cursor(buffer)
            var size = 0
            while size < limit, let (name, value) = cursor.next() {
                pairs.append(
                    (
                        String(decoding: name.prefix(limit), as: UTF8.self),
                        String(decoding: value.prefix(limit), as: UTF8.self)
                    ))
                size += name.count + value.count
            }
        }
        return list(pairs, limit: limit)
    }

    /// The first bytes of a text; a part of a character at the end becomes U+FFFD.
    public static func cut(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        return String(decoding: text.utf8.prefix(limit), as: UTF8.self)
    }

    // MARK: Exposition formats

    /// Appends a text with the escapes of pages.
    ///
    /// - Parameter escapesQuotes: Whether quotes are escaped too, as they must be between quotes.
    @inlinable
    public static func appendEscaped(_ text: String, escapesQuotes: Bool, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case 0x5C:
                bytes.append(0x5C)
                bytes.append(0x5C)
            case 0x22 where escapesQuotes:
                bytes.append(0x5C)
                bytes.append(0x22)
            case 0x0A:
                bytes.append(0x5C)
                bytes.append(0x6E)
            default: bytes.append(byte)
            }
        }
    }

    /// Appends a text between quotes.
    @inlinable
    public static func appendQuoted(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(0x22)
        appendEscaped(text, escapesQuotes: true, to: &bytes)
        bytes.append(0x22)
    }

    /// A text between quotes.
    public static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        appendQuoted(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
