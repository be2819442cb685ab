/// Reads times as Go's `time.Parse`.
extension GoTime {
    /// The fields that a text gave.
    private struct Fields {
        var year: Int64 = 0
        var month: Int64 = 0
        var day: Int64 = 0
        var dayOfYear: Int64 = 0
        var hour: Int64 = 0
        var minute: Int64 = 0
        var second: Int64 = 0
        var fraction: Int64 = 0
        var offset: Int64?
        var zone: String?
        var isAfternoon: Bool?
    }

    private static let elements = [
        "January", "Jan", "Monday", "Mon", "MST", "2006", "002", "01", "02", "03", "04", "05", "06", "15", "PM", "pm",
        "_2006", "__2", "_2", "1", "2", "3", "4", "5",
    ]

    /// A time in the form of a layout, in UTC unless the text has an offset; nil if it has another form.
    public static func parse(_ text: String, layout: String) -> GoTime? {
        var fields = Fields()
        var (rest, form) = (text[...], layout[...])
        scan: while let first = form.first {
            if first == "." || first == ",", let kind = form.dropFirst().first, kind == "0" || kind == "9" {
                let run = form.dropFirst().prefix { $0 == kind }.count
                if form.dropFirst(1 + run).first?.isNumber != true {
                    guard fraction(&rest, digits: kind == "0" ? run : nil, &fields) else { return nil }
                    form = form.dropFirst(1 + run)
                    continue
                }
            }
            for element in offsetElements + elements where form.hasPrefix(element) {
                let next = form.dropFirst(3).utf8.first ?? 0
                if element == "Jan" || element == "Mon", (0x61...0x7A).contains(next) { continue }
                if element == "_2006" {
                    guard rest.first == "_" else { return nil }
                    (form, rest) = (form.dropFirst(), rest.dropFirst())
                    continue scan
                }
                guard read(element, &rest, &fields) else { return nil }
                form = form.dropFirst(element.count)
                // A fraction is accepted after the seconds, also if the layout has none.
                if element == "05" || element == "5", form.first != ".", form.first != ",",
                    rest.first == "." || rest.first == ",", rest.dropFirst().first?.isNumber == true
                {
                    guard fraction(&rest, digits: nil, &fields) else { return nil }
                }
                continue scan
            }
            if first == " " {
                // Blanks match any number of blanks.
                form = form.drop { $0 == " " }
                if !rest.isEmpty, rest.first != " " { return nil }
                rest = rest.drop { $0 == " " }
                continue
            }
            guard rest.first == first else { return nil }
            (form, rest) = (form.dropFirst(), rest.dropFirst())
        }
        return rest.isEmpty ? time(of: fields) : nil
    }

    private static func number(_ rest: inout Substring, _ least: Int, _ most: Int) -> Int64? {
        let digits = rest.prefix(most).prefix { ("0"..."9").contains($0) }
        guard digits.count >= least, let value = Int64(digits) else { return nil }
        rest = rest.dropFirst(digits.count)
        return value
    }

    /// Reads a point and digits; with no count as many as there are, or none of it.
    private static func fraction(_ rest: inout Substring, digits: Int?, _ fields: inout Fields) -> Bool {
        guard let point = rest.first, point == "." || point == ",", rest.dropFirst().first?.isNumber == true else {
            return digits == nil
        }
        let found = rest.dropFirst().prefix { ("0"..."9").contains($0) }
        if let digits, digits != found.count { return false }
        rest = rest.dropFirst(1 + found.count)
        let nine = found.prefix(9)
        fields.fraction = Int64(nine + String(repeating: "0", count: 9 - nine.count)) ?? 0
        return true
    }

    private static func name(_ rest: inout Substring, of names: [String], short: Bool) -> Int64? {
        for (index, name) in names.enumerated() {
            let wanted = short ? String(name.prefix(3)) : name
            if rest.prefix(wanted.count).lowercased() == wanted.lowercased() {
                rest = rest.dropFirst(wanted.count)
                return Int64(index)
            }
        }
        return nil
    }

    private static func read(_ element: String, _ rest: inout Substring, _ fields: inout Fields) -> Bool {
        func set(_ field: WritableKeyPath<Fields, Int64>, _ value: Int64?, _ range: ClosedRange<Int64>) -> Bool {
            guard let value, range.contains(value) else { return false }
            fields[keyPath: field] = value
            return true
        }
        if offsetElements.contains(element) { return offset(element, &rest, &fields) }
        switch element {
        case "January", "Jan":
            return set(\.month, name(&rest, of: months, short: element == "Jan").map { $0 + 1 }, 1...12)
        case "Monday", "Mon": return name(&rest, of: days, short: element == "Mon") != nil
        case "MST":
            let letters = rest.prefix { ("A"..."Z").contains($0) }
            guard (3...5).contains(letters.count) else { return false }
            fields.zone = String(letters)
            rest = rest.dropFirst(letters.count)
            return true
        case "2006": return set(\.year, number(&rest, 4, 4), 0...9999)
        case "06": return set(\.year, number(&rest, 2, 2).map { $0 + ($0 >= 69 ? 1900 : 2000) }, 0...9999)
        case "002", "__2":
            if element == "__2" { rest = rest.drop { $0 == " " } }
            return set(\.dayOfYear, number(&rest, element == "002" ? 3 : 1, 3), 1...366)
        case "01", "1": return set(\.month, number(&rest, element == "01" ? 2 : 1, 2), 1...12)
        case "02", "2", "_2":
            if element == "_2", rest.first == " " { rest = rest.dropFirst() }
            return set(\.day, number(&rest, element == "02" ? 2 : 1, 2), 1...31)
        case "15": return set(\.hour, number(&rest, 2, 2), 0...23)
        case "03", "3": return set(\.hour, number(&rest, element == "03" ? 2 : 1, 2), 0...12)
        case "04", "4": return set(\.minute, number(&rest, element == "04" ? 2 : 1, 2), 0...59)
        case "05", "5": return set(\.second, number(&rest, element == "05" ? 2 : 1, 2), 0...59)
        default:
            let half = rest.prefix(2)
            rest = rest.dropFirst(2)
            let names = element == "PM" ? ["AM", "PM"] : ["am", "pm"]
            guard let index = names.firstIndex(of: String(half)) else { return false }
            fields.isAfternoon = index == 1
            return true
        }
    }

    private static func offset(_ element: String, _ rest: inout Substring, _ fields: inout Fields) -> Bool {
        if element.hasPrefix("Z"), rest.first == "Z" {
            rest = rest.dropFirst()
            fields.offset = 0
            return true
        }
        guard let sign = rest.first, sign == "+" || sign == "-" else { return false }
        rest = rest.dropFirst()
        var (total, unit, isFirst): (Int64, Int64, Bool) = (0, 3600, true)
        for _ in 0..<(element.filter { $0 == "0" }.count + (element.contains("7") ? 1 : 0)) / 2 {
            if !isFirst, element.contains(":") {
                guard rest.first == ":" else { return false }
                rest = rest.dropFirst()
            }
            guard let value = number(&rest, 2, 2), value <= (isFirst ? 24 : 59) else { return false }
            total += value * unit
            unit /= 60
            isFirst = false
        }
        fields.offset = sign == "-" ? -total : total
        return true
    }

    private static func time(of fields: Fields) -> GoTime? {
        var hour = fields.hour
        if let isAfternoon = fields.isAfternoon {
            if isAfternoon, hour < 12 { hour += 12 }
            if !isAfternoon, hour == 12 { hour = 0 }
        }
        var days: Int64
        if fields.dayOfYear > 0 {
            days = CivilTime.daysSinceEpoch(fields.year, 1, 1) + fields.dayOfYear - 1
            let date = CivilTime.date(daysSinceEpoch: days)
            guard date.year == fields.year, fields.month == 0 || fields.month == date.month,
                fields.day == 0 || fields.day == date.day
            else { return nil }
        } else {
            let (month, day) = (max(1, fields.month), max(1, fields.day))
            guard day <= CivilTime.days(inMonth: month, of: fields.year) else { return nil }
            days = CivilTime.daysSinceEpoch(fields.year, month, day)
        }
        let seconds = days * 86_400 + hour * 3600 + fields.minute * 60 + fields.second
        var result = GoTime(seconds: seconds - (fields.offset ?? 0), fraction: fields.fraction)
        result.offset = fields.offset ?? 0
        if result.offset != 0 {
            result.zone = fields.zone ?? result.offsetText("-0700")
        }
        return result
    }
}
