import GoCompatibility
import GoTemplate
import Model
import Synchronization

/// The functions of notification templates besides Go's own.
struct NotificationFunctions: TemplateFunctionSet {
    /// The time in ms since the epoch.
    var now: Int64
    /// The value of a label of the route.
    var routeLabel: @Sendable (_ name: String) -> TemplateOutcome

    static let names = Set(signatures.keys)

    static let signatures: [String: TemplateSignature] = {
        let text = TemplateSignature([.string])
        let texts = TemplateSignature([.string, .string])
        var signatures: [String: TemplateSignature] = [
            "append": TemplateSignature([.slice(listType)], variadic: .any),
            "date": TemplateSignature([.string, .time]), "dict": TemplateSignature([], variadic: .any),
            "humanizeDuration": TemplateSignature([.any]),
            "join": TemplateSignature([.string, .slice(NotificationType.textType)]),
            "list": TemplateSignature([], variadic: .any), "match": texts, "mustToDate": texts,
            "now": TemplateSignature([]), "reReplaceAll": TemplateSignature([.string, .string, .string]),
            "since": TemplateSignature([.time]), "stringSlice": TemplateSignature([], variadic: .string),
            "toDate": texts, "toJson": TemplateSignature([.any]), "tz": TemplateSignature([.string, .time]),
        ]
        for name in [
            "base64decode", "base64encode", "routeLabels", "safeHtml", "safeUrl", "title", "toLower", "toUpper",
            "trimSpace", "urlUnescape",
        ] {
            signatures[name] = text
        }
        return signatures
    }()

    private static let listType = "[]interface {}"

    func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome {
        switch (name, arguments.first, arguments.last) {
        case ("title", .string(let text)?, _): return .value(.string(Self.title(text)))
        case ("trimSpace", .string(let text)?, _): return .value(.string(Self.trimmed(text)))
        case ("safeHtml", .string(let text)?, _): return .value(.typed(.string(text), SafeText.html))
        case ("safeUrl", .string(let text)?, _): return .value(.typed(.string(text), SafeText.url))
        case ("base64encode", .string(let text)?, _): return .value(.string(GoBase64.urlEncoded(Array(text.utf8))))
        case ("base64decode", .string(let text)?, _): return Self.base64(text)
        case ("urlUnescape", .string(let text)?, _):
            switch GoURL.queryUnescape(text) {
            case .success(let text): return .value(.string(text))
            case .failure(let problem): return .failed(problem.description)
            }
        case ("routeLabels", .string(let label)?, _): return routeLabel(label)
        case ("join", .string(let separator)?, let last?):
            return .value(.string(NotificationType.texts(of: last).joined(separator: separator)))
        case ("stringSlice", _, _):
            return .value(NotificationType.texts(NotificationType.texts(of: .list(arguments, type: ""))))
        case ("list", _, _): return Self.nested(.list(arguments, type: Self.listType))
        case ("append", let list?, _):
            guard case .list(let values, _) = list.base else { return .failed("expected a list") }
            return Self.nested(.list(values + arguments.dropFirst(), type: Self.listType))
        case ("dict", _, _): return Self.dictionary(arguments)
        case ("toJson", let value?, _): return TemplateJSON.text(of: value)
        case ("date", _, _), ("tz", _, _), ("now", _, _), ("since", _, _), ("toDate", _, _), ("mustToDate", _, _):
            return time(name, arguments)
        case ("humanizeDuration", let value?, _):
            switch NumberConversion.double(value) {
            case .success(let number): return .value(.string(Humanize.duration(number)))
            case .failure(let reason): return .failed(reason.description)
            }
        default:
            return TextFunctions.call(name, arguments) ?? .failed("function \(GoQuote.quote(name)) is not there")
        }
    }

    // MARK: Times

    private func time(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome {
        switch (name, arguments.first, arguments.last) {
        case ("now", _, _): return .value(.time(GoTime(now)))
        case ("since", .time(let time, _)?, _): return .value(.duration(GoTime(now).since(time)))
        case ("date", .string(let layout)?, .time(let time, _)?): return .value(.string(time.format(layout)))
        case ("tz", .string(let zone)?, .time(var time, _)?):
            do throws(TimeZone.Failure) {
                (time.offset, time.zone) = try Self.zone(zone).place(at: time.seconds)
                return .value(.time(time))
            } catch { return .failed(error.description) }
        case (_, .string(let layout)?, .string(let text)?):
            if let time = GoTime.parse(text, layout: layout) { return .value(.time(time)) }
            if name == "toDate" { return .value(.time(.zero)) }
            let (shown, form) = (GoQuote.quote(text), GoQuote.quote(layout))
            return .failed("parsing time \(shown) as \(form): cannot parse \(shown) as \(form)")
        default: return .failed("\(name) has no such arguments")
        }
    }

    /// The zones that were read, so that a loop does not read files; at most 64.
    private static let zones = Mutex<[ExactText: TimeZone]>([:])

    private static func zone(_ name: String) throws(TimeZone.Failure) -> TimeZone {
        if let known = zones.withLock({ $0[ExactText(name)] }) { return known }
        let zone = try TimeZone(named: name)
        zones.withLock { if $0.count < 64 { $0[ExactText(name)] = zone } }
        return zone
    }

    // MARK: Texts

    /// The text with the first letter of each word as a capital and the others small.
    private static func title(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        var out = String.UnicodeScalarView()
        var (isInWord, hasLetter) = (false, false)
        for (index, scalar) in scalars.enumerated() {
            let next = index + 1 < scalars.count ? scalars[index + 1] : " "
            // A mark between two letters does not end a word: `don't`.
            let joins = isInWord && "'.:\u{B7}\u{2019}".unicodeScalars.contains(scalar) && next.properties.isAlphabetic
            let isPart =
                scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_" || joins
                || isInWord && scalar.properties.canonicalCombiningClass != .notReordered
            if !isPart { (isInWord, hasLetter) = (false, false) }
            if isPart, scalar.properties.isCased {
                out.append(hasLetter ? GoCase.lower(scalar) : GoCase.title(scalar))
                hasLetter = true
            } else {
                out.append(scalar)
            }
            isInWord = isPart
        }
        return String(out)
    }

    private static func trimmed(_ text: String) -> String {
        let start = text.unicodeScalars.drop(while: \.properties.isWhitespace)
        let end = start.lastIndex { !$0.properties.isWhitespace }
        return end.map { String(start[...$0]) } ?? ""
    }

    private static func base64(_ text: String) -> TemplateOutcome {
        switch GoBase64.urlDecoded(text) {
        case .success(let bytes): .value(.string(String(decoding: bytes, as: UTF8.self)))
        case .failure(let problem): .failed(problem.description)
        }
    }

    // MARK: Lists

    /// A value that templates built, unless it is nested too deeply.
    private static func nested(_ value: TemplateValue) -> TemplateOutcome {
        value.isNested(deeperThan: 16) ? .failed("the value is nested too deeply") : .value(value)
    }

    private static func dictionary(_ arguments: [TemplateValue]) -> TemplateOutcome {
        guard arguments.count.isMultiple(of: 2) else { return .failed("dict requires an even number of arguments") }
        var entries: [ExactText: TemplateValue] = [:]
        for index in stride(from: 0, to: arguments.count - 1, by: 2) {
            guard case .string(let key) = arguments[index] else { return .failed("dict keys must be strings") }
            entries[ExactText(key)] = arguments[index + 1]
        }
        return nested(.map(entries))
    }
}
