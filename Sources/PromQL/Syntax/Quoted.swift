import Model

/// Strings in Go's quoting, for error messages.
enum Quoted {
    static func text(_ text: String) -> String { GoQuote.quote(text) }
}
