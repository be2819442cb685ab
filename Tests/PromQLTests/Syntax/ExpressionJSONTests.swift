import Testing

@testable import PromQL

@Suite("Expressions as JSON")
struct ExpressionJSONTests {
    /// What Prometheus answers for the selector `up`.
    private static let up = [
        #"{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"up"}],"name":"up","offset":0,"#,
        #""offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"}"#,
    ].joined()

    /// Queries and the parts of what Prometheus answers.
    private static let cases: [(String, [String])] = [
        ("up", [up]),
        ("1", [#"{"type":"numberLiteral","val":"1"}"#]),
        ("-Inf", [#"{"type":"numberLiteral","val":"-Inf"}"#]),
        ("\"x\"", [#"{"type":"stringLiteral","val":"x"}"#]),
        ("-up", [#"{"expr":\#(up),"op":"-","type":"unaryExpr"}"#]),
        ("(up)", [#"{"expr":\#(up),"type":"parenExpr"}"#]),
        (
            "time()",
            [#"{"args":[],"func":{"argTypes":[],"name":"time","returnType":"scalar","variadic":0},"type":"call"}"#]
        ),
        (
            "sum by(a,b)(up)",
            [#"{"expr":\#(up),"grouping":["a","b"],"op":"sum","param":null,"type":"aggregation","without":false}"#]
        ),
        (
            "up > bool 1",
            [
                #"{"bool":true,"lhs":\#(up),"matching":null,"op":"\u003e","#,
                #""rhs":{"type":"numberLiteral","val":"1"},"type":"binaryExpr"}"#,
            ]
        ),
        (
            "up or up",
            [
                #"{"bool":false,"lhs":\#(up),"matching":{"card":"many-to-many","fillValues":{"lhs":null,"rhs":null},"#,
                #""include":[],"labels":[],"on":false},"op":"or","rhs":\#(up),"type":"binaryExpr"}"#,
            ]
        ),
        (
            "up+on(x)fill(0)up",
            [
                #"{"bool":false,"lhs":\#(up),"matching":{"card":"one-to-one","fillValues":{"lhs":0,"rhs":0},"#,
                #""include":[],"labels":["x"],"on":true},"op":"+","rhs":\#(up),"type":"binaryExpr"}"#,
            ]
        ),
        (
            "up[1h:1m] offset 5m",
            [
                #"{"expr":\#(up),"offset":300000,"offsetExpr":null,"range":3600000,"rangeExpr":null,"#,
                #""startOrEnd":null,"step":60000,"stepExpr":null,"timestamp":null,"type":"subquery"}"#,
            ]
        ),
        (
            "up[1m+1m] @ 1609746000.123",
            [
                #"{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"up"}],"name":"up","offset":0,"#,
                #""offsetExpr":null,"range":0,"rangeExpr":{"lhs":{"duration":true,"type":"numberLiteral","#,
                #""val":"60"},"op":"+","rhs":{"duration":true,"type":"numberLiteral","val":"60"},"#,
                #""type":"durationExpr","wrapped":false},"smoothed":false,"startOrEnd":null,"#,
                #""timestamp":1609746000123,"type":"matrixSelector"}"#,
            ]
        ),
        (
            "{\"a.b\",\"c.d\"=\"e\"}",
            [
                #"{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"a.b"},{"name":"c.d","#,
                #""type":"=","value":"e"}],"name":"","offset":0,"offsetExpr":null,"smoothed":false,"#,
                #""startOrEnd":null,"timestamp":null,"type":"vectorSelector"}"#,
            ]
        ),
        (
            "up{a=\"b\"}",
            [
                #"{"anchored":false,"matchers":[{"name":"a","type":"=","value":"b"},{"name":"__name__","type":"=","#,
                #""value":"up"}],"name":"up","offset":0,"offsetExpr":null,"smoothed":false,"#,
                #""startOrEnd":null,"timestamp":null,"type":"vectorSelector"}"#,
            ]
        ),
    ]

    @Test(
        "trees as parse_query shows them",
        arguments: cases)
    func trees(query: String, expected: [String]) throws {
        let json = ExpressionJSON.encode(try PromQLParser.parse(query, options: .all))
        #expect(String(decoding: json, as: UTF8.self) == expected.joined())
    }
}
