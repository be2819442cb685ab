/// The kinds of receivers, under the names that keys, metrics and logs have for them.
package enum IntegrationKind: String, CaseIterable, Sendable {
    case webhook, email
    case pagerDuty = "pagerduty"
    case opsGenie = "opsgenie"
    case weChat = "wechat"
    case slack
    case victorOps = "victorops"
    case pushover, sns, telegram, discord, webex
    case msTeams = "msteams"
    case msTeamsV2 = "msteamsv2"
    case incidentIO = "incidentio"
    case jira, rocketchat, mattermost
}

/// One entry of a receiver: makes single attempts to deliver notifications.
///
/// Attempts, their delays, their deadline and their records are the business of ``IntegrationCall``. An integration
/// only makes requests of a message, and judges the answers.
package protocol Integration: Sendable {
    static var kind: IntegrationKind { get }
    /// Whether resolved alerts are notified.
    var sendsResolved: Bool { get }
    /// The longest time of one attempt, ms; 0 for the flush's only.
    var timeout: Int64 { get }
    /// The most alerts in one message; 0 for all.
    var maxAlerts: Int { get }

    /// Makes one attempt.
    ///
    /// - Throws: ``AttemptFailure``, which the context's functions throw; the error of a template, which is not tried
    ///   again; any other error is.
    func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict
}

extension Integration {
    package var timeout: Int64 { 0 }
    package var maxAlerts: Int { 0 }
    package var kind: IntegrationKind { Self.kind }
}

/// The meaning of an answer.
package enum Verdict: Equatable, Sendable {
    case accepted
    /// The attempt must be repeated, for this reason.
    case retry(String)
    case refused(String)

    /// The reason of a failure; empty for success.
    var reason: String {
        switch self {
        case .accepted: ""
        case .retry(let reason), .refused(let reason): reason
        }
    }
}

/// The end of an attempt before its last answer.
package struct AttemptFailure: Error {
    package var verdict: Verdict

    package init(_ verdict: Verdict) { self.verdict = verdict }

    /// The same failure, but not to be tried again.
    package var refused: AttemptFailure {
        if case .retry(let reason) = verdict { AttemptFailure(.refused(reason)) } else { self }
    }
}

/// An integration at its place in a receiver.
package struct PlacedIntegration: Sendable {
    package var integration: any Integration
    /// The position among those of its kind in the receiver, from 0.
    package var index: Int

    package init(_ integration: any Integration, index: Int) {
        self.integration = integration
        self.index = index
    }

    /// The name in the ledger and the API: `receiver/webhook/0`.
    package func name(in receiver: String) -> String { "\(receiver)/\(integration.kind.rawValue)/\(index)" }
}
