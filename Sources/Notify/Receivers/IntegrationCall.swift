import GoTemplate
import Model
import Platform
import Telemetry

/// The delivery of one notification by an integration: attempts with growing delays, until it is accepted or refused, or
/// until the group's next flush replaces it.
struct IntegrationCall {
    let notification: Notification
    let externalURL: String
    let clock: any Clock
    let random: @Sendable () -> Double
    /// Gets the delivery after each attempt that will be repeated.
    var progress: @Sendable (Delivery) -> Void = { _ in }

    func run(metrics: NotifierMetrics) async -> Delivery {
        let began = monotonic()
        var delivery = Delivery(
            time: notification.flush.time, groupID: notification.flush.groupID,
            groupKey: notification.flush.groupKey, receiver: notification.receiver,
            integration: notification.name, reason: notification.reason.rawValue, outcome: .failed, status: 0,
            attempts: 0, duration: 0, error: "",
            firing: notification.alerts.filter { $0.alert.endsAt == 0 }.map(\.fingerprint),
            resolved: notification.alerts.filter { $0.alert.endsAt != 0 }.map(\.fingerprint))
        let message = ReceiverMessage(notification, externalURL: externalURL)
        var backoff = Backoff()
        // The wall clock may be set meanwhile, the monotonic clock may not.
        let flush = notification.flush
        let deadline = began &+ flush.deadline.subtractingReportingOverflow(flush.time).partialValue
        while !Task.isCancelled {
            let verdict = await attempt(message, deadline: deadline, &delivery)
            delivery.duration = max(0, monotonic() - began)
            metrics.attempted(notification.integration.kind, succeeded: verdict == .accepted)
            switch verdict {
            case .accepted:
                delivery.outcome = .delivered
                if delivery.attempts > 1 {
                    Notifier.log.info("Notify success", about: subject(delivery), fields(delivery))
                }
                return delivery
            case .refused(let reason):
                delivery.error = reason
                return delivery
            case .retry(let reason):
                // Each reason is logged once and immediately, because the last attempt may be minutes later.
                if reason != delivery.error {
                    delivery.error = reason
                    Notifier.log.warn(
                        "Notify attempt failed, will retry later", about: subject(delivery), fields(delivery))
                }
                progress(delivery)
                let pause = backoff.next(random: random())
                guard monotonic() &+ pause < deadline else { return delivery }
                do { try await clock.sleep(until: clock.now() &+ pause) } catch { return delivery }
            }
        }
        return delivery
    }

    /// The receiver and the error.
    ///
    /// Alerts of targets determine the groups, so that there may be very many of these.
    func subject(_ delivery: Delivery) -> [String] {
        [notification.receiver, notification.name, delivery.error]
    }

    /// The fields of a delivery in log messages; the error is that of its last failed attempt.
    func fields(_ delivery: Delivery) -> KeyValuePairs<String, String> {
        [
            "receiver": notification.receiver, "integration": notification.name,
            "group": notification.flush.groupKey, "attempts": "\(delivery.attempts)", "err": delivery.error,
        ]
    }

    /// The reason of a failed delivery; nil for a success.
    func failure(_ delivery: Delivery) -> FailureReason? {
        if delivery.outcome == .delivered { return nil }
        let flush = notification.flush
        let time = flush.deadline.subtractingReportingOverflow(flush.time).partialValue
        return FailureReason(status: delivery.status, isOverdue: delivery.duration >= time)
    }

    /// ms of the monotonic clock.
    private func monotonic() -> Int64 { clock.monotonic() / 1_000_000 }

    /// - Parameter deadline: ms of the monotonic clock.
    private func attempt(_ message: ReceiverMessage, deadline: Int64, _ delivery: inout Delivery) async -> Verdict {
        let integration = notification.integration
        let now = monotonic()
        let context = AttemptContext(
            clock: clock, deadline: integration.timeout > 0 ? min(deadline, now &+ integration.timeout) : deadline,
            receiver: notification.receiver, integration: notification.name, redactor: notification.redactor)
        let time = clock.now()
        let verdict = await Self.attempt(integration, message, context)
        let (outcome, error): (DeliveryAttempt.Outcome, String) =
            switch verdict {
            case .accepted: (.accepted, "")
            case .retry(let reason): (.failed, reason)
            case .refused(let reason): (.refused, reason)
            }
        delivery.add(
            DeliveryAttempt(
                time: time, outcome: outcome, status: context.status, latency: max(0, monotonic() - now),
                error: ReceiverText.cut(error, bytes: DeliveryAttempt.longestError).text, answer: context.answer))
        return verdict
    }

    /// Makes one attempt; each error has its meaning.
    static func attempt(
        _ integration: any Integration, _ message: ReceiverMessage, _ context: AttemptContext
    ) async -> Verdict {
        let verdict: Verdict
        do {
            verdict = try await integration.attempt(message, context)
        } catch let failure as AttemptFailure {
            verdict = failure.verdict
        } catch let error as TemplateError {
            // It would fail again.
            verdict = .refused(error.description)
        } catch {
            verdict = .retry("\(error)")
        }
        switch verdict {
        case .accepted: return verdict
        case .retry(let reason): return .retry(context.hidingSecrets(in: reason))
        case .refused(let reason): return .refused(context.hidingSecrets(in: reason))
        }
    }
}
