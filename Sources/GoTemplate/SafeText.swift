/// The Go types of texts that are not escaped in a HTML page where such a text may stand.
public enum SafeText: TemplateType {
    /// Parts of a page with elements.
    case html
    /// An address of any scheme.
    case url

    public var typeName: String { self == .html ? "template.HTML" : "template.URL" }

    public func text(of base: TemplateValue) -> String? { nil }

    public func signature(_ method: String) -> TemplateSignature? { nil }

    public func call(_ method: String, of base: TemplateValue, _ arguments: [TemplateValue]) -> TemplateOutcome {
        .failed("there is no method \(method)")
    }

    /// Whether a value is a text of this type.
    func isType(of value: TemplateValue) -> Bool {
        if case .typed(_, let type as SafeText) = value { type == self } else { false }
    }
}
