import Model

/// Numbers as values of the labels `le` and `quantile`.
public enum LabelFloat {
    /// OpenMetrics' form: `1.0`, `0.5`, `1e+06`, `+Inf`; whole numbers keep a point.
    public static func text(_ value: Double) -> String {
        let text = FloatText.general(value)
        return text.utf8.contains { $0 == 0x2E || $0 == 0x65 || $0 == 0x66 || $0 == 0x4E } ? text : text + ".0"
    }

    /// Rewrites a label's text if it is a number; otherwise returns it unchanged.
    public static func normalised(_ text: String) -> String {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBufferPointer { DecimalNumber.parse($0).map { Self.text($0.value) } } ?? text
    }
}
