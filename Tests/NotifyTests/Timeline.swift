import Config
import Glibc
import Model
import Notify
import Platform
import Synchronization
import TestSupport

/// A transport that remembers what it carried and answers as it is told.
final class RecordingTransport: NotificationTransport {
    struct Call: Sendable {
        var time: Int64
        var url: String
        var body: String
    }
    struct Unreachable: Error {}

    private struct State {
        var calls: [Call] = []
        /// Answers of the next calls, 0 for none at all; afterwards 200.
        var answers: [Int] = []
    }
    private let state = Mutex(State())
    private let clock: any Clock

    init(_ clock: any Clock) { self.clock = clock }

    func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
        let call = Call(
            time: clock.now(), url: request.url, body: String(decoding: request.body, as: UTF8.self))
        let answer = state.withLock { state in
            state.calls.append(call)
            return state.answers.isEmpty ? 200 : state.answers.removeFirst()
        }
        if answer == 0 { throw Unreachable() }
        return ReceiverAnswer(status: answer)
    }

    func answer(_ answers: [Int]) { state.withLock { $0.answers = answers } }
    var calls: [Call] { state.withLock { $0.calls } }
    func takeCalls() -> [Call] {
        state.withLock { state in
            defer { state.calls = [] }
            return state.calls
        }
    }
}

/// A notifier whose time is moved by hand: "at 30 s push …, between 60 s and 61 s receive …".
final class Timeline {
    /// 2023-11-14T22:13:20Z, a Tuesday; times in tests are seconds after it.
    static let start: Int64 = 1_700_000_000_000

    let clock: ManualClock
    let transport: RecordingTransport
    private(set) var notifier: Notifier
    private let configuration: String
    private let folder: String?

    init(_ configuration: String, folder: String? = nil, clock: ManualClock? = nil) throws {
        let clock = clock ?? ManualClock(now: Self.start, jumps: true)
        self.clock = clock
        self.configuration = configuration
        self.folder = folder
        let transport = RecordingTransport(clock)
        self.transport = transport
        notifier = try Self.make(configuration, folder, clock, transport)
    }

    private static func make(
        _ configuration: String, _ folder: String?, _ clock: ManualClock, _ transport: RecordingTransport
    ) throws -> Notifier {
        try Notifier(
            settings: settings(configuration, transport),
            ledger: folder.map { LedgerFolder(path: $0, fileSystem: RealFileSystem()) }, clock: clock,
            externalURL: "http://here", random: { 0.5 })
    }

    /// A notifier with one receiver and its ledger in `l`, which groups by `a`.
    ///
    /// - Parameter groupWait: Seconds; the group interval is three times, and the repeat interval four times as long.
    static func notifier(_ files: FaultyFileSystem, _ clock: ManualClock, groupWait: Int) throws -> Notifier {
        let settings = try settings(
            """
            route:
              receiver: team
              group_by: [a]
              group_wait: \(groupWait)s
              group_interval: \(groupWait * 3)s
              repeat_interval: \(groupWait * 4)s
            receivers: [{name: team, webhook_configs: [{url: 'http://team/'}]}]
            """, RecordingTransport(clock))
        return try Notifier(
            settings: settings, ledger: LedgerFolder(path: "l", fileSystem: files), clock: clock,
            externalURL: "http://here")
    }

    static func settings(_ configuration: String, _ transport: any NotificationTransport) throws -> NotifierSettings {
        let config = try AlertmanagerConfigLoader.parse(text: Array(configuration.utf8), path: "alertmanager.yml")
        return try NotifierSettings(config) { _ in transport }
    }

    func reload(_ configuration: String) throws { notifier.reload(try Self.settings(configuration, transport)) }

    /// Ends the process without ceremony and begins a new one.
    func crashAndRestart() throws { notifier = try Self.make(configuration, folder, clock, transport) }

    static func time(_ seconds: Double) -> Int64 { start + Int64(seconds * 1000) }

    /// Lets everything happen up to a moment.
    func run(until seconds: Double) async {
        while true {
            _ = notifier.step(at: clock.now())
            await notifier.settle()
            let next = notifier.step(at: clock.now())
            await notifier.settle()
            if next > Self.time(seconds) { break }
            clock.advance(to: next)
        }
        clock.advance(to: Self.time(seconds))
    }

    /// Moves to a moment and hands over an alert that fires since then, or ended then.
    func push(at seconds: Double, _ labels: [(String, String)], resolved: Bool = false) async {
        await run(until: seconds)
        let now = Self.time(seconds)
        notifier.send([
            Alert(
                labels: Labels(labels), annotations: Labels([("summary", "s")]),
                startsAt: resolved ? now - 1000 : now, endsAt: resolved ? now : 0, generatorURL: "http://rule")
        ])
        _ = notifier.step(at: now)
        await notifier.settle()
    }

    /// What was received up to a moment: seconds, `firing`/`resolved` and the alerts' `a` labels with a mark of their state.
    func received(until seconds: Double) async -> [String] {
        await run(until: seconds)
        return transport.takeCalls().map { call in
            let seconds = Double(call.time - Self.start) / 1000
            let names = call.body.matches(of: #/"status":"(firing|resolved)","labels":\{"a":"([^"]*)"/#)
                .map { ($0.output.1 == "firing" ? "+" : "-") + $0.output.2 }
            let text = seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
            return "\(text): \(names.joined(separator: " "))"
        }
    }
}
