import JSON
import Testing

@testable import martlet

@Suite("martlet alert why")
struct AlertWhyCommandTests {
    @Test("a word without an operator is the name of alerts")
    func filters() {
        #expect(
            AlertWhyCommand.filters(["Down", "a=b", "c!~\"x.*\"", #"q"\"#])
                == ["alertname=\"Down\"", "a=b", "c!~\"x.*\"", #"alertname="q\"\\""#])
    }

    @Test("the sentences are below the labels of their alert")
    func lines() throws {
        let text = """
            {"alerts": [
              {"labels": {"alertname": "Down", "job": "a"}, "steps": [{"kind": "firing", "sentence": "It fires."}]},
              {"labels": {"alertname": "Down", "job": "b"}, "steps": [{"sentence": "It waits."}, {"sentence": "Long."}]}
            ], "steps": []}
            """
        #expect(
            AlertWhyCommand.lines(try JSONValue.parse(Array(text.utf8))) == [
                #"{alertname="Down", job="a"}"#, "  It fires.", "", #"{alertname="Down", job="b"}"#, "  It waits.",
                "  Long.",
            ])
        let none = #"{"alerts": [], "steps": [{"sentence": "No alert matches."}]}"#
        #expect(AlertWhyCommand.lines(try JSONValue.parse(Array(none.utf8))) == ["No alert matches."])
    }
}
