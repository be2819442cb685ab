import PromQL
import Testing

/// One expression for each form of the grammar, and one for each way to get it wrong.
///
/// The texts of errors are those of Prometheus 2.42, where the grammar of 3.x has not changed them.
@Suite("Expressions of each form")
struct ExpressionListTests {
    private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    private static let vectors = lines(
        #"""
        up
        :a:b
        up{}
        up{job="a"}
        up{job="a",}
        up{job!="a",instance=~"b.*",zone!~"c|d"}
        {job="a"}
        {__name__="up"}
        {__name__=~"a.*",job=""}
        up{job='single',path=`back\slash`}
        up{job="\"quoted\" \\ \n \u00e9"}
        up # and a comment
        {"dotted.name"}
        {"dotted.name",job="a"}
        {"dotted.name","dotted.label"="a"}
        up offset 5m
        up offset -5m
        up offset 1h30m
        up offset 90
        up offset (1m + 30s)
        up offset -(1m)
        up offset step()
        up @ 1700000000
        up @ 1700000000.5
        up @ -1
        up @ start()
        up @ end()
        up @ end() offset 1h
        up offset 1h @ end()
        up smoothed
        -up
        +up
        --up
        -up ^ 2
        up + 1
        1 + up
        up * 2 ^ -3
        up atan2 up
        up ATAN2 1
        up % 2
        up == 1
        up == bool 1
        1 != bool up
        up > up
        up </ 2
        up >/ 2
        up and up
        up AND up
        up or vector(0)
        up unless on () up
        up and on (job) up
        up and ignoring (job, instance) up
        up + on (job) up
        up + on (job,) up
        up + ignoring () up
        up * on (job) group_left up
        up * on (job) group_left () up
        up * on (job) group_left (version, "dotted.label") info
        up * ignoring (a) group_right (b) up
        up == bool on (job) group_left up
        up + fill(0) up
        up + on (job) fill_left(-1) fill_right(2) up
        sum(up)
        SUM(up)
        sum by (job) (up)
        sum(up) by (job)
        sum by (job,) (up)
        sum without (instance) (up)
        sum without () (up)
        sum by () (up)
        sum by ("dotted.label") (up)
        sum by (by, sum, on, bool, offset) (up)
        avg(up) + min(up) + max(up) + count(up) + group(up) + stddev(up) + stdvar(up)
        topk(3, up)
        topk by (job) (3, up)
        bottomk(scalar(up), up)
        quantile(0.9, up)
        count_values("version", build_info)
        count_values without (a) ("b", up)
        limitk(2, up)
        limit_ratio(-0.5, up)
        rate(up[5m])
        rate(up[5m] offset 1m)
        rate(up[5m] @ end())
        rate(up[5m:])
        rate(up[5m:1m])
        rate(up[5m:1m] offset 1m @ start())
        rate(up[300])
        rate(up[1h * 2 - 5m])
        rate(up[max_of(1m, step() * 4)])
        rate(up[5m:step()])
        rate(up[5m] anchored)
        increase(up[5m] smoothed)
        max_over_time(rate(up[5m])[1h:1m])
        max_over_time((up + 1)[1h:])
        max_over_time(sum by (job) (up)[1h:1m])
        max_over_time(vector(1)[1h:1m])
        histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))
        histogram_quantiles(x, "q", 0.5, 0.9)
        label_replace(up, "a", "$1", "b", "(.*)")
        label_join(up, "a", "-", "b", "c", "d")
        label_join(up, "a", "-")
        round(up)
        round(up, 0.5)
        hour()
        hour(up)
        day_of_week(vector(time()))
        absent(up{job="a"})
        absent_over_time(up[5m])
        clamp(up, 0, 1)
        sort_by_label(up, "a", "b")
        info(up)
        info(up, {version="1"})
        predict_linear(up[1h], 4 * 3600)
        double_exponential_smoothing(up[1h], 0.1, 0.2)
        sum
        avg
        by
        offset
        without{a="b"}
        and
        start
        (up)
        ((up))
        sum((up))
        sum by (job) (up) / on (job) group_left sum(up) by (job) > bool 0.5 or up
        a or b and c unless d
        """#)

    private static let scalars = lines(
        #"""
        1
        -1
        +1
        .5
        1.
        1e3
        1E-3
        1_000_000
        0x1F
        0X1f
        017
        Inf
        -inf
        NaN
        nan
        5m
        1h30m
        1w2d3h4m5s6ms
        1 + 2
        2 ^ 3 ^ 2
        -2 ^ 2
        1 == bool 2
        1 < bool 2 < bool 3
        1 atan2 2
        (1)
        time()
        pi()
        scalar(up)
        scalar(up) % 2
        start()
        end() - start()
        range() / step()
        min_of(1, 2) + max_of(3, 4)
        """#)

    private static let strings = lines(
        #"""
        "text"
        'text'
        `te\xt`
        ("text")
        "\a\b\f\n\r\t\v\\\"\101\x41\u0041\U00000041"
        """#)

    private static let ranges = lines(
        #"""
        up[5m]
        up{job="a"}[1m30s]
        up[5m] offset 1h
        up[5m] @ end()
        up[5m:1m]
        up[5m:]
        (up > 0)[5m:1m] offset 1m
        up[5m] anchored
        """#)

    @Test("an expression of each form is read, and has its type")
    func read() throws {
        let lists: [(list: [String], type: ValueType)] = [
            (Self.vectors, .vector), (Self.scalars, .scalar), (Self.strings, .string), (Self.ranges, .matrix),
            (["up{ # a comment within braces\n  job=\"a\" }", "\tup\r\n+\n\nup"], .vector),
        ]
        for (list, type) in lists {
            for text in list {
                let expression = try #require(try? PromQLParser.parse(text, options: .all), "\(text)")
                #expect(expression.type == type, "\(text)")
                let printed = expression.description
                #expect((try? PromQLParser.parse(printed, options: .all))?.description == printed, "\(text)")
            }
        }
    }

    /// Each followed by its error, without the words "parse error:".
    private static let refused = lines(
        #"""
        sum(1)
          1:5: expected type instant vector in aggregation expression, got scalar
        sum("a")
          1:5: expected type instant vector in aggregation expression, got string
        sum(up[5m])
          1:5: expected type instant vector in aggregation expression, got range vector
        abs(1)
          1:5: expected type instant vector in call to function "abs", got scalar
        abs(up[5m])
          1:5: expected type instant vector in call to function "abs", got range vector
        abs("a")
          1:5: expected type instant vector in call to function "abs", got string
        abs(up, up)
          1:1: expected 1 argument(s) in call to "abs", got 2
        rate(up, 1)
          1:1: expected 1 argument(s) in call to "rate", got 2
        rate(1)
          1:6: expected type range vector in call to function "rate", got scalar
        pi(1)
          1:1: expected 0 argument(s) in call to "pi", got 1
        time(up)
          1:1: expected 0 argument(s) in call to "time", got 1
        vector(up)
          1:8: expected type scalar in call to function "vector", got instant vector
        scalar(1)
          1:8: expected type instant vector in call to function "scalar", got scalar
        round()
          1:1: expected at least 1 argument(s) in call to "round", got 0
        round(up, 1, 2)
          1:1: expected at most 2 argument(s) in call to "round", got 3
        round(up, up)
          1:11: expected type scalar in call to function "round", got instant vector
        hour(1)
          1:6: expected type instant vector in call to function "hour", got scalar
        hour(up, up)
          1:1: expected at most 1 argument(s) in call to "hour", got 2
        label_replace(up, "a", "b", "c")
          1:1: expected 5 argument(s) in call to "label_replace", got 4
        label_replace(up, a, "b", "c", "d")
          1:19: expected type string in call to function "label_replace", got instant vector
        label_join(up, "a")
          1:1: expected at least 3 argument(s) in call to "label_join", got 2
        label_join(up, 1, "a")
          1:16: expected type string in call to function "label_join", got scalar
        histogram_quantile(up, 0.9)
          1:20: expected type scalar in call to function "histogram_quantile", got instant vector
        histogram_quantile("0.9", up)
          1:20: expected type scalar in call to function "histogram_quantile", got string
        quantile_over_time(up[5m], 0.9)
          1:20: expected type scalar in call to function "quantile_over_time", got range vector
        predict_linear(up, 1)
          1:16: expected type range vector in call to function "predict_linear", got instant vector
        clamp(up, 1)
          1:1: expected 3 argument(s) in call to "clamp", got 2
        absent(1)
          1:8: expected type instant vector in call to function "absent", got scalar
        topk(up, up)
          1:6: expected type scalar in aggregation parameter, got instant vector
        topk("3", up)
          1:6: expected type scalar in aggregation parameter, got string
        topk(3, 3)
          1:9: expected type instant vector in aggregation expression, got scalar
        topk(1, 2, up)
          1:1: wrong number of arguments for aggregate expression provided, expected 2, got 3
        sum(up, up)
          1:1: wrong number of arguments for aggregate expression provided, expected 1, got 2
        count_values(1, up)
          1:14: expected type string in aggregation parameter, got scalar
        count_values("a", 1)
          1:19: expected type instant vector in aggregation expression, got scalar
        quantile(0.5)
          1:1: wrong number of arguments for aggregate expression provided, expected 2, got 1
        up + "a"
          1:6: binary expression must contain only scalar and instant vector types
        "a" + "b"
          1:1: binary expression must contain only scalar and instant vector types
        up[5m] + up
          1:1: binary expression must contain only scalar and instant vector types
        -up[5m]
          1:1: unary expression only allowed on expressions of type scalar or instant vector, got "range vector"
        -"a"
          1:1: unary expression only allowed on expressions of type scalar or instant vector, got "string"
        up == "a"
          1:7: binary expression must contain only scalar and instant vector types
        1 and 1
          1:1: set operator "and" not allowed in binary scalar expression
        1 or up
          1:1: set operator "or" not allowed in binary scalar expression
        up unless 1
          1:1: set operator "unless" not allowed in binary scalar expression
        1 > 2
          1:3: comparisons between scalars must use BOOL modifier
        1 + bool 2
          1:3: bool modifier can only be used on comparison operators
        up + bool up
          1:4: bool modifier can only be used on comparison operators
        up and bool up
          1:4: bool modifier can only be used on comparison operators
        1 + on (a) 2
          1:1: vector matching only allowed between instant vectors
        up + on (a) 1
          1:1: vector matching only allowed between instant vectors
        up * group_left up
          1:6: unexpected <group_left>
        up and on (a) group_left up
          1:1: no grouping allowed for "and" operation
        up or ignoring (a) group_right up
          1:1: no grouping allowed for "or" operation
        up + on (a, b) group_right (b) up
          1:4: label "b" must not occur in ON and GROUP clause at once
        {}
          1:1: vector selector must contain at least one non-empty matcher
        {job=""}
          1:1: vector selector must contain at least one non-empty matcher
        {job=~".*"}
          1:1: vector selector must contain at least one non-empty matcher
        {job!="a"}
          1:1: vector selector must contain at least one non-empty matcher
        {__name__=""}
          1:1: vector selector must contain at least one non-empty matcher
        up{__name__="down"}
          1:1: metric name must not be set twice: "up" or "down"
        up[5m][5m]
          1:7: ranges only allowed for vector selectors
        up[5m][5m:1m]
          1:1: subquery is only allowed on instant vector, got matrix instead
        sum(up)[5m]
          1:8: ranges only allowed for vector selectors
        1[5m:1m]
          1:1: subquery is only allowed on instant vector, got scalar instead
        "a"[5m:1m]
          1:1: subquery is only allowed on instant vector, got string instead
        1 offset 5m
          1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery
        sum(up) offset 5m
          1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery
        rate(up[5m]) @ 1
          1:1: @ modifier must be preceded by an instant vector selector or range vector selector or a subquery
        up offset 5m offset 5m
          1:1: offset may not be set multiple times
        up @ 1 @ 2
          1:1: @ <timestamp> may not be set multiple times
        up offset 5m [5m]
          1:14: no offset modifiers allowed before range
        up @ 1 [5m]
          1:8: no @ modifiers allowed before range
        up @ 1e40
          1:1: timestamp out of bounds for @ modifier: 10000000000000000303786028427003666890752.000000
        up[0]
          1:4: duration must be greater than 0
        up[5m:0s]
          1:7: duration must be greater than 0
        up[-5m]
          1:4: duration must be greater than 0
        up offset
          1:10: unexpected end of input in offset, expected number, duration, step(), or range()
        up offset a
          1:11: unexpected identifier "a" in offset, expected number, duration, step(), or range()
        up @
          1:5: unexpected end of input in @, expected timestamp
        up @ a
          1:6: unexpected identifier "a" in @, expected timestamp
        up[5m
          1:6: unclosed left bracket
        up[a]
          1:4: unexpected character in duration expression: 'a'
        up{job}
          1:7: unexpected "}" in label matching, expected label matching operator
        up{job=}
          1:8: unexpected "}" in label matching, expected string
        up{job=a}
          1:8: unexpected identifier "a" in label matching, expected string
        up{job="a" instance="b"}
          1:12: unexpected identifier "instance" in label matching, expected "," or "}"
        up{"a"="b"
          1:11: unexpected end of input inside braces
        up{job=~"*"}
          1:4: error parsing regexp: missing argument to repetition operator: `*`
        up{job="a}
          1:8: unterminated quoted string
        sum(up
          1:7: unclosed left parenthesis
        sum up
          1:5: unexpected identifier "up"
        sum by job (up)
          1:8: unexpected identifier "job" in grouping opts, expected "("
        sum by (1) (up)
          1:9: unexpected number "1" in grouping opts, expected label
        sum by (job) without (job) (up)
          1:14: unexpected <without> in aggregation
        nosuch(up)
          1:1: unknown function with name "nosuch"
        rate(
          1:6: unclosed left parenthesis
        ()
          1:2: unexpected ")"
        ,
          1:1: unexpected ","
        up,
          1:3: unexpected ","
        up up
          1:4: unexpected identifier "up"
        1 1
          1:3: unexpected number "1"
        * 1
          1:1: unexpected <op:*>
        1 +
          1:4: unexpected end of input
        1 ==
          1:5: unexpected end of input
        up ==bool
          1:10: unexpected end of input
        =
          1:1: unexpected "="
        ==
          1:1: unexpected <op:==>
        up = 1
          1:4: unexpected "="
        up => 1
          1:4: unexpected "="
        up ! 1
          1:4: unexpected character after '!': ' '
        up & up
          1:4: unexpected character: '&'
        up | up
          1:4: unexpected character: '|'
        $up
          1:1: unexpected character: '$'
        up?
          1:3: unexpected character: '?'
        [5m]
          1:1: unexpected "["
        "unterminated
          1:1: unterminated quoted string
        `unterminated
          1:1: unterminated raw string
        "\z"
          1:1: unknown escape sequence U+007A 'z'
        1..5
          1:1: bad number or duration syntax: "1.."
        1e
          1:1: bad number or duration syntax: "1e"
        0x
          1:1: error parsing number: strconv.ParseFloat: parsing "0x": invalid syntax
        1h1h
          1:1: not a valid duration string: "1h1h"
        """#)

    @Test("an expression that is wrong is refused with the place and the reason")
    func refuse() throws {
        var text = ""
        for line in Self.refused {
            guard line.hasPrefix("  ") else {
                text = line
                continue
            }
            let error = #expect(throws: ParseError.self, "\(text)") {
                try PromQLParser.parse(text, options: .all)
            }
            let found = error?.description.replacing("parse error: ", with: "", maxReplacements: 1)
            #expect(found == String(line.dropFirst(2)), "\(text)")
        }
        #expect(Self.refused.count > 200)
    }
}
