import GoCompatibility
import Testing

@Suite("Literals of Go")
struct GoLiteralTests {
    @Test("a number beyond a float is none, as in Go")
    func range() {
        for text in ["1e400", "-1e400", "1.5e309"] {
            if GoLiteral.number(text) != nil { Issue.record("\(text) is a number") }
        }
        for text in ["1e308", "1e-400", "0x1p4", "1_0.5"] {
            if GoLiteral.number(text) == nil { Issue.record("\(text) is no number") }
        }
    }
}
