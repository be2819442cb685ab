import Exposition
import Testing

/// Pages of our own for each rule of OpenMetrics 1.0, good and bad.
///
/// The parser of the Python client library, which is the reference, gives the same verdicts, except where the
/// specification is stricter: about spaces, colons in names of labels, and two buckets with one bound.
@Suite("OpenMetrics pages of our own")
struct OwnOpenMetricsTests {
    private static func problem(_ text: String) -> String? {
        do throws(ExpositionError) {
            try OpenMetricsValidator.validate(Array(text.utf8))
            return nil
        } catch {
            return error.located
        }
    }

    /// A line of a list as the page that it stands for: `\\`, `\n`, `\r`, `\t` and `\s` are one character
    /// each, and what begins with a type has the line of the type in front and the end of the page behind it.
    private static func page(_ line: Substring) -> String {
        var text = ""
        var isEscape = false
        for character in line {
            if isEscape {
                let meaning: [Character: Character] = ["n": "\n", "r": "\r", "t": "\t", "s": " "]
                text.append(meaning[character] ?? character)
                isEscape = false
            } else if character == "\\" {
                isEscape = true
            } else {
                text.append(character)
            }
        }
        guard let type = line.firstIndex(of: "|"), line.starts(with: "<") else { return text }
        let name = line[..<type].dropFirst()
        let body = text.drop { $0 != "|" }.dropFirst()
        return (name.isEmpty ? "" : "# TYPE a \(name)\n") + body + "\n# EOF\n"
    }

    private static let good = #"""
        # EOF\n
        a 1\n# EOF
        <|a{n="0"} 1\na{n="1"} -1.5e-3\na{n="2"} +Inf\na{n="3"} -Inf\na{n="4"} NaN\na{n="5"} .5\na{n="6"} 1.
        <|a{n="0"} 1 0\na{n="1"} 1 -1\na{n="2"} 1 1.5\na{n="3"} 1 1e3
        <|a{n="\\\\ \\" \\n é"} 1
        <|a{} 1\nb{n=""} 1
        <|a:b_c 1\n_d{_e="1"} 1
        <|# UNIT a_seconds seconds\n# HELP a_seconds The \\"time\\" \\\\ of\\nall.\n# TYPE a_seconds gauge\na_seconds 1
        <counter|# HELP a b
        <|# UNIT a \na 1
        <|# TYPE t0 gauge\nt0 1\n# TYPE t1 unknown\nt1 1
        <counter|a_total{k="1"} 1\na_created{k="1"} 1e9\na_total{k="2"} 0.5
        <counter|a_total 1 # {id="x"} 0.5 12.5
        <gauge|a -1
        <histogram|a_bucket{le="0.5"} 1\na_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 3\na_count 3\na_sum 4.5\na_created 1
        <histogram|a_bucket{le="1.0"} 1 # {} 0.5\na_bucket{le="+Inf"} 3 # {id="x",b="y"} 2
        <histogram|a_bucket{le="-1.0"} 1\na_bucket{le="+Inf"} 3
        <histogram|a_bucket{k="x",le="+Inf"} 1\na_count{k="x"} 1\na_sum{k="x"} 1\na_bucket{k="y",le="+Inf"} 1\na_count{k="y"} 1\na_sum{k="y"} 1
        <gaugehistogram|a_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 3\na_gcount 3\na_gsum 2
        <gaugehistogram|a_bucket{le="-1.0"} 1\na_bucket{le="+Inf"} 3\na_gcount 3\na_gsum -2
        <summary|a{quantile="0.0"} 1\na{quantile="0.99"} NaN\na{quantile="1.0"} 3\na_count 3\na_sum 4.5\na_created 1
        <info|a_info{version="1"} 1\na_info{version="2"} 1
        <stateset|a{a="on"} 1\na{a="off"} 0
        <unknown|a 1
        <gauge|a{k="1"} 1 1\na{k="1"} 2 2\na{k="2"} 1 1
        <gauge|a 1\n# TYPE b gauge\nb 1\nc 1
        <counter|a_total 1 # {a="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"} 1
        """#

    /// Each page is followed by its first mistake.
    private static let bad = #"""
        a 1\n
          line 2, column 1: data does not end with # EOF
        a 1\n# EOF\n\n
          line 3, column 1: unexpected data after # EOF
        a 1\n# EOF\nb 1\n
          line 3, column 1: unexpected data after # EOF
        <|# EOF
          line 2, column 1: unexpected data after # EOF
        #EOF\n
          line 1, column 1: expected a valid start token, got "#" ("INVALID") while parsing: "#"
        # EOF \n
          line 1, column 6: unexpected data after # EOF
        <|\na 1
          line 1, column 1: expected a valid start token, got "\n" ("LINEBREAK") while parsing: "\n"
        <|a 1\n\nb 1
          line 2, column 1: expected a valid start token, got "\n" ("LINEBREAK") while parsing: "\n"
        <|a 1\r
          line 1, column 3: strconv.ParseFloat: parsing "1\r": invalid syntax while parsing: "a 1\r\n"
        <|# a comment\na 1
          line 1, column 1: expected a valid start token, got "#" ("INVALID") while parsing: "#"
        <|#a\na 1
          line 1, column 1: expected a valid start token, got "#" ("INVALID") while parsing: "#"
        <| a 1
          line 1, column 1: expected a valid start token, got " " ("INVALID") while parsing: " "
        <|a  1
          line 1, column 3: expected value after metric, got " " ("INVALID") while parsing: "a  "
        <|a 1\s
          line 1, column 5: expected value after metric, got "\n" ("INVALID") while parsing: "a 1 \n"
        <|a\t1
          line 1, column 2: expected value after metric, got "\t" ("INVALID") while parsing: "a\t"
        <|a
          line 1, column 2: expected value after metric, got "\n" ("INVALID") while parsing: "a\n"
        <|a\s
          line 1, column 3: expected value after metric, got "\n" ("INVALID") while parsing: "a \n"
        <|a x
          line 1, column 3: strconv.ParseFloat: parsing "x": invalid syntax while parsing: "a x\n"
        <|a 1_0
          line 1, column 3: strconv.ParseFloat: parsing "1_0": invalid syntax while parsing: "a 1_0\n"
        <|a 0x1
          line 1, column 3: strconv.ParseFloat: parsing "0x1": invalid syntax while parsing: "a 0x1\n"
        <|a 1 2 3
          line 1, column 7: expected timestamp or # symbol, got "3" ("INVALID") while parsing: "a 1 2 3"
        <|a 1 x
          line 1, column 5: strconv.ParseFloat: parsing "x": invalid syntax while parsing: "a 1 x\n"
        <|a 1 NaN
          line 1, column 5: invalid timestamp NaN
        <|a 1 +Inf
          line 1, column 5: invalid timestamp +Inf
        <|a 1 0x1
          line 1, column 5: strconv.ParseFloat: parsing "0x1": invalid syntax while parsing: "a 1 0x1\n"
        <|0a 1
          line 1, column 1: expected a valid start token, got "0" ("INVALID") while parsing: "0"
        <|a-b 1
          line 1, column 2: expected value after metric, got "-" ("INVALID") while parsing: "a-"
        <|a.b 1
          line 1, column 2: expected value after metric, got "." ("INVALID") while parsing: "a."
        <|{} 1
          line 1, column 3: metric name not set, got "" ("EOF") while parsing: "{}"
        <|{"a"} 1
          line 1, column 1: a sample begins with its name
        <|a{ 1
          line 1, column 3: expected label name, got " " ("INVALID") while parsing: "a{ "
        <|a{n} 1
          line 1, column 4: expected equal, got "}" ("BCLOSE") while parsing: "a{n}"
        <|a{n=} 1
          line 1, column 5: expected label value, got "}" ("BCLOSE") while parsing: "a{n=}"
        <|a{n=1} 1
          line 1, column 5: expected label value, got "1" ("INVALID") while parsing: "a{n=1"
        <|a{n='1'} 1
          line 1, column 5: expected label value, got "'" ("INVALID") while parsing: "a{n='"
        <|a{n="1} 1
          line 1, column 5: expected label value, got "\"" ("QSTRING") while parsing: "a{n=\""
        <|a{n="1"m="2"} 1
          line 1, column 8: expected comma or brace close, got "m" ("LNAME") while parsing: "a{n=\"1\"m"
        <|a{n="1",,m="2"} 1
          line 1, column 9: expected label name, got "," ("COMMA") while parsing: "a{n=\"1\",,"
        <|a{,n="1"} 1
          line 1, column 3: expected label name, got "," ("COMMA") while parsing: "a{,"
        <|a{n="1",} 1
          line 1, column 1: a comma before the closing brace
        <|a{ n="1"} 1
          line 1, column 3: expected label name, got " " ("INVALID") while parsing: "a{ "
        <|a{n ="1"} 1
          line 1, column 4: expected equal, got " " ("INVALID") while parsing: "a{n "
        <|a{n= "1"} 1
          line 1, column 5: expected label value, got " " ("INVALID") while parsing: "a{n= "
        <|a{n="1" } 1
          line 1, column 8: expected comma or brace close, got " " ("INVALID") while parsing: "a{n=\"1\" "
        <|a {n="1"} 1
          line 1, column 3: strconv.ParseFloat: parsing "{n=\"1\"}": invalid syntax while parsing: "a {n=\"1\"} "
        <|a{n="1"}1
          line 1, column 9: expected value after metric, got "1" ("INVALID") while parsing: "a{n=\"1\"}1"
        <|a{0n="1"} 1
          line 1, column 3: expected label name, got "0" ("INVALID") while parsing: "a{0"
        <|a{n:m="1"} 1
          line 1, column 4: expected equal, got ":" ("INVALID") while parsing: "a{n:"
        <|a{n="1",n="2"} 1
          line 1, column 1: label "n" appears twice
        <|a{n="1"} {m="2"} 1
          line 1, column 10: strconv.ParseFloat: parsing "{m=\"2\"}": invalid syntax while parsing: "a{n=\"1\"} {m=\"2\"} "
        <|a{n="1""} 1
          line 1, column 8: expected comma or brace close, got "\"" ("QSTRING") while parsing: "a{n=\"1\"\""
        <|# TYPE a\na 1
          line 1, column 9: expected text in type, got "\n" ("INVALID") while parsing: "# TYPE a\n"
        <|# TYPE a \na 1
          line 1, column 10: invalid metric type ""
        <nothing|a 1
          line 1, column 10: invalid metric type "nothing"
        <GAUGE|a 1
          line 1, column 10: invalid metric type "GAUGE"
        <untyped|a 1
          line 1, column 10: invalid metric type "untyped"
        <|# TYPE  a gauge\na 1
          line 1, column 8: expected metric name after metadata, got " " ("INVALID") while parsing: "# TYPE  "
        <|# TYPE a gauge \na 1
          line 1, column 10: invalid metric type "gauge "
        <gauge|# TYPE a gauge\na 1
          line 2, column 1: more than one TYPE for a
        <gauge|# TYPE a counter\na 1
          line 2, column 1: more than one TYPE for a
        <|# type a gauge\na 1
          line 1, column 1: expected a valid start token, got "#" ("INVALID") while parsing: "#"
        <|# TYPE 0a gauge
          line 1, column 8: expected metric name after metadata, got "0" ("INVALID") while parsing: "# TYPE 0"
        <|# TYPE a-b gauge
          line 1, column 9: expected text in type, got "-" ("INVALID") while parsing: "# TYPE a-"
        <|# HELP a\na 1
          line 1, column 9: expected text in help, got "\n" ("INVALID") while parsing: "# HELP a\n"
        <|# HELP a b\n# HELP a b\na 1
          line 2, column 1: more than one HELP for a
        <|# HELP  a b\na 1
          line 1, column 8: expected metric name after metadata, got " " ("INVALID") while parsing: "# HELP  "
        <|# HELP 0a b
          line 1, column 8: expected metric name after metadata, got "0" ("INVALID") while parsing: "# HELP 0"
        <|# UNIT a\na 1
          line 1, column 9: expected text in unit, got "\n" ("INVALID") while parsing: "# UNIT a\n"
        <|# UNIT a seconds\na 1
          line 1, column 10: unit "seconds" not a suffix of metric "a"
        <|# UNIT aseconds seconds\naseconds 1
          line 1, column 17: unit "seconds" not a suffix of metric "aseconds"
        <|# UNIT a_seconds seconds\n# UNIT a_seconds seconds\na_seconds 1
          line 2, column 1: more than one UNIT for a_seconds
        <|# TYPE a_seconds info\n# UNIT a_seconds seconds\na_seconds_info 1
          line 3, column 1: a family of type info cannot have a unit: a_seconds
        <|# TYPE a_seconds stateset\n# UNIT a_seconds seconds
          line 2, column 1: a family of type stateset cannot have a unit: a_seconds
        <|# FOO a b\na 1
          line 1, column 1: expected a valid start token, got "#" ("INVALID") while parsing: "#"
        <|a 1\n# TYPE a gauge
          line 2, column 1: metadata of a is after its samples
        <|a 1\n# HELP a b
          line 2, column 1: metadata of a is after its samples
        <gauge|a 1\n# UNIT a b
          line 3, column 10: unit "b" not a suffix of metric "a"
        <gauge|a 1\n# TYPE b gauge\nb 1\na 2
          line 5, column 1: name a is used by two families
        <|a 1\nb 1\na 1
          line 3, column 1: name a is used by two families
        <counter|a_total 1\n# TYPE a_total gauge\na_total 1
          line 4, column 1: name a_total is used by two families
        <histogram|# TYPE a_count gauge
          line 2, column 1: name a_count is used by two families
        <info|# TYPE a_info gauge
          line 2, column 1: name a_info is used by two families
        <summary|# TYPE a_sum gauge
          line 2, column 1: name a_sum is used by two families
        <gauge|a{k="1"} 1\na{k="2"} 1\na{k="1"} 2
          line 4, column 1: samples of a group are not together
        <counter|a_total{k="1"} 1\na_total{k="2"} 1\na_created{k="1"} 1
          line 4, column 1: samples of a group are not together
        <gauge|a 1 2\na 1 1
          line 3, column 1: times decrease within a group
        <gauge|a 1 2\na 1
          line 3, column 1: only some samples of a group have a time
        <gauge|a 1\na 1 2
          line 3, column 1: only some samples of a group have a time
        <histogram|a_bucket{le="+Inf"} 1 2\na_count 1 1\na_sum 1 1
          line 3, column 1: times decrease within a group
        <counter|a 1
          line 2, column 1: name a is used by two families
        <counter|a_total -1
          line 2, column 1: a_total cannot be negative
        <counter|a_total NaN
          line 2, column 1: a_total cannot be NaN
        <counter|a_total 1\na 1
          line 3, column 1: name a is used by two families
        <gauge|a_total 1\na 1\na_total 2
          line 4, column 1: name a is used by two families
        <histogram|a_bucket 1
          line 2, column 1: a bucket needs a label le with a number, the last one +Inf
        <histogram|a_bucket{le="x"} 1
          line 2, column 1: a bucket needs a label le with a number, the last one +Inf
        <histogram|a_bucket{le="NaN"} 1
          line 2, column 1: a bucket needs a label le with a number, the last one +Inf
        <histogram|a_bucket{le="Inf"} 1
          line 2, column 1: a bucket needs a label le with a number, the last one +Inf
        <histogram|a_bucket{le="1.0"} 1
          line 2, column 1: the bucket +Inf is missing: a
        <histogram|a_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 1
          line 3, column 1: counts of buckets fall: a
        <histogram|a_bucket{le="2.0"} 1\na_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 1
          line 3, column 1: buckets are out of order: a
        <histogram|a_bucket{le="1.0"} 1\na_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 1
          line 3, column 1: buckets are out of order: a
        <histogram|a_bucket{le="+Inf"} -1
          line 2, column 1: a_bucket cannot be negative
        <histogram|a_bucket{le="+Inf"} NaN
          line 2, column 1: a_bucket cannot be NaN
        <histogram|a_bucket{le="+Inf"} 0.5
          line 2, column 1: a_bucket counts in whole numbers
        <histogram|a_bucket{le="+Inf"} 1\na_count 2\na_sum 1
          line 4, column 1: the count differs from the bucket +Inf: a
        <histogram|a_bucket{le="+Inf"} 1\na_count 1
          line 3, column 1: there is a count but no sum: a
        <histogram|a_bucket{le="+Inf"} 1\na_sum 1
          line 3, column 1: there is a sum but no count: a
        <histogram|a_bucket{le="-1.0"} 1\na_bucket{le="+Inf"} 1\na_count 1\na_sum -1
          line 5, column 1: a_sum cannot be negative
        <histogram|a_bucket{le="+Inf"} 1\na_count 1\na_sum NaN
          line 4, column 1: a_sum cannot be NaN
        <histogram|a_count 1\na_sum 1
          line 3, column 1: the bucket +Inf is missing: a
        <histogram|a_bucket{k="x",le="+Inf"} 1\na_bucket{k="y",le="1.0"} 1
          line 3, column 1: the bucket +Inf is missing: a
        <histogram|a_bucket{le="+Inf"} +Inf
          line 2, column 1: a_bucket counts in whole numbers
        <gaugehistogram|a_bucket{le="1.0"} 1
          line 2, column 1: the bucket +Inf is missing: a
        <gaugehistogram|a_bucket{le="+Inf"} 3\na_gcount 2\na_gsum 2
          line 4, column 1: the count differs from the bucket +Inf: a
        <gaugehistogram|a_bucket{le="+Inf"} 3\na_gcount 3
          line 3, column 1: there is a count but no sum: a
        <gaugehistogram|a_bucket{le="+Inf"} 3\na_gsum 3
          line 3, column 1: there is a sum but no count: a
        <gaugehistogram|a_bucket{le="+Inf"} 3\na_gcount 3\na_gsum -2
          line 4, column 1: a negative sum without negative bounds: a
        <gaugehistogram|a_bucket{le="+Inf"} 3\na_gcount 3\na_gsum NaN
          line 4, column 1: a_gsum cannot be NaN
        <gaugehistogram|a_bucket{le="+Inf"} -3
          line 2, column 1: a_bucket cannot be negative
        <summary|a 1
          line 2, column 1: a quantile needs a label quantile from 0 to 1
        <summary|a{quantile="x"} 1
          line 2, column 1: a quantile needs a label quantile from 0 to 1
        <summary|a{quantile="-0.1"} 1
          line 2, column 1: a quantile needs a label quantile from 0 to 1
        <summary|a{quantile="1.1"} 1
          line 2, column 1: a quantile needs a label quantile from 0 to 1
        <summary|a{quantile="NaN"} 1
          line 2, column 1: a quantile needs a label quantile from 0 to 1
        <summary|a{quantile="0.5"} -1
          line 2, column 1: a quantile is not negative
        <summary|a_count -1
          line 2, column 1: a_count cannot be negative
        <summary|a_count 0.5
          line 2, column 1: a_count counts in whole numbers
        <summary|a_count NaN
          line 2, column 1: a_count cannot be NaN
        <summary|a_sum -1
          line 2, column 1: a_sum cannot be negative
        <summary|a_sum NaN
          line 2, column 1: a_sum cannot be NaN
        <info|a_info 0
          line 2, column 1: an info is 1
        <info|a_info 2
          line 2, column 1: an info is 1
        <info|a_info NaN
          line 2, column 1: an info is 1
        <stateset|a 1
          line 2, column 1: a state has no label a
        <stateset|a{b="on"} 1
          line 2, column 1: a state has no label a
        <stateset|a{a="on"} 2
          line 2, column 1: a state is 0 or 1
        <stateset|a{a="on"} NaN
          line 2, column 1: a state is 0 or 1
        <stateset|a{a="on"} 0.5
          line 2, column 1: a state is 0 or 1
        <gauge|a 1 # {id="x"} 1
          line 2, column 1: only buckets and counters have exemplars
        <unknown|a 1 # {id="x"} 1
          line 2, column 1: only buckets and counters have exemplars
        <counter|a_total 1\na_created 1 # {id="x"} 1
          line 3, column 1: only buckets and counters have exemplars
        <histogram|a_bucket{le="+Inf"} 1\na_count 1 # {id="x"} 1\na_sum 1
          line 3, column 1: only buckets and counters have exemplars
        <summary|a{quantile="1.0"} 1 # {id="x"} 1
          line 2, column 1: only buckets and counters have exemplars
        <counter|a_total 1 #\s
          line 2, column 11: expected timestamp or # symbol, got "#" ("INVALID") while parsing: "a_total 1 #"
        <counter|a_total 1 # {
          line 2, column 8: expected value after metric, got " " ("INVALID") while parsing: "a_total "
        <counter|a_total 1 # {}
          line 2, column 15: expected value after exemplar labels, got "\n" ("INVALID") while parsing: "a_total 1 # {}\n"
        <counter|a_total 1 # {} x
          line 2, column 16: strconv.ParseFloat: parsing "x": invalid syntax while parsing: "a_total 1 # {} x\n"
        <counter|a_total 1 # {} 1 x
          line 2, column 18: strconv.ParseFloat: parsing "x": invalid syntax while parsing: "a_total 1 # {} 1 x\n"
        <counter|a_total 1 # {} 1 1 1
          line 2, column 19: expected timestamp or new record, got " " ("INVALID") while parsing: "a_total 1 # {} 1 1 "
        <counter|a_total 1 # {id="x",id="y"} 1
          line 2, column 1: label "id" appears twice
        <counter|a_total 1 # {id="x",} 1
          line 2, column 1: a comma before the closing brace
        <counter|a_total 1 #{} 1
          line 2, column 11: expected timestamp or # symbol, got "#" ("INVALID") while parsing: "a_total 1 #"
        <counter|a_total 1 # id="x" 1
          line 2, column 11: expected timestamp or # symbol, got "#" ("INVALID") while parsing: "a_total 1 #"
        <counter|a_total 1# {} 1
          line 2, column 9: strconv.ParseFloat: parsing "1#": invalid syntax while parsing: "a_total 1# "
        <counter|a_total # {} 1
          line 2, column 9: strconv.ParseFloat: parsing "#": invalid syntax while parsing: "a_total # "
        <counter|a_total 1 # {0d="x"} 1
          line 2, column 14: expected label name, got "0" ("INVALID") while parsing: "{0"
        <counter|a_total 1 # {} 1 # {} 1
          line 2, column 18: strconv.ParseFloat: parsing "#": invalid syntax while parsing: "a_total 1 # {} 1 # "
        <counter|a_total 1 # {a="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"} 1
          line 2, column 1: an exemplar's labels are longer than 128 characters
        """#

    @Test("good pages are accepted")
    func accept() {
        let lines = Self.good.split(separator: "\n")
        for line in lines { #expect(Self.problem(Self.page(line)) == nil, "\(line)") }
        #expect(lines.count > 20)
    }

    @Test("bad pages are refused, with the place and the reason")
    func refuse() {
        var page = ""
        var count = 0
        for line in Self.bad.split(separator: "\n") {
            guard line.hasPrefix("  ") else {
                page = Self.page(line)
                continue
            }
            #expect(Self.problem(page) == String(line.dropFirst(2)), "\(page)")
            count += 1
        }
        #expect(count > 140)
        #expect(Self.problem("") != nil)
    }
}
