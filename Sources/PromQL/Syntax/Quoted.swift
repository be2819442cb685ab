import GoCompatibility
import Model

/// Strings and characters in Go's quoting, for error messages.
enum Quoted {
    static func text(_ text: String) -> String { GoQuote.quote(text) }

    /// The character in single quotes; nil means the end of the text.
    static func character(_ scalar: Unicode.Scalar?) -> String {
        switch scalar {
        case nil: "'\u{FFFD}'"
        case "'": "'\\''"
        case "\"": "'\"'"
        case let scalar?: "'\(GoQuote.quote(String(scalar)).dropFirst().dropLast())'"
        }
    }
}
