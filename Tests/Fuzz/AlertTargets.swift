import AlertClient
import Config
import GoCompatibility
import JSON
import Model
import Notify

/// What the commands for alerts read: answers of servers, and files of silences, data of templates and settings.
enum AlertTargets {
    /// Any bytes give texts whose lines are as many as their elements.
    static func data(_ bytes: UnsafeRawBufferPointer) {
        let bytes = Array(bytes)
        _ = try? SilenceFile.read(bytes, name: "fuzz.json")
        var settings = ClientSettings()
        try? settings.add(bytes, path: "fuzz.yml")
        arguments(String(decoding: bytes, as: UTF8.self))
        if let fields = try? NotificationFieldsReader.read(bytes) {
            _ = try? NotificationTemplates.standard.render("{{ toJson . }}{{ .Alerts }}", fields, isHTML: false)
        }
        guard let values = (try? JSONValue.parse(bytes))?.array else { return }
        let alerts = values.compactMap { try? RemoteAlert($0) }
        let silences = values.compactMap { try? RemoteSilence($0) }
        for form in AlertPrinter.Form.allCases {
            let printer = AlertPrinter(form, dateLayout: "2006-01-02 15:04:05.000 MST")
            for (text, count) in [(printer.text(alerts), alerts.count), (printer.text(silences), silences.count)]
            where form != .json && text.utf8.count(where: { $0 == 0x0A }) != count + 1 {
                fatalError("\(count) elements: \(text)")
            }
        }
        for var silence in silences {
            if let end = try? SilencePeriod.end(silence.startsAt, end: nil, duration: 86_400_000) {
                silence.setTimes(silence.startsAt, end)
            }
            var selection = SilenceSelection()
            selection.within = 1
            _ = selection.contains(silence, now: 0)
            if PostedSilence(silence).id != silence.id { fatalError("another id: \(silence)") }
        }
    }

    /// A text as an argument: a first one is a matcher or an error, and so is a later one.
    private static func arguments(_ text: String) {
        for mode in [AlertMatchers.Mode.fallback, .utf8Strict, .classic] {
            for words in [[text], ["a", text]] {
                guard let matchers = try? ArgumentMatchers.parse(words, mode) else { continue }
                if matchers.count != words.count { fatalError("\(words): \(matchers)") }
            }
        }
    }
}
