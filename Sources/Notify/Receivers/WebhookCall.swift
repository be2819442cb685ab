import Config
import HTTP
import Model
import Platform
import Telemetry

/// The delivery of one notification to a webhook: attempts with growing delays, until it is accepted or refused, or
/// until the group's next flush replaces it.
struct WebhookCall {
    let notification: Notification
    let externalURL: String
    let clock: any Clock
    let random: @Sendable () -> Double

    /// The meaning of an answer.
    enum Verdict: Equatable {
        case accepted
        /// The attempt must be repeated, for this reason.
        case retry(String)
        case refused(String)
    }

    static func verdict(_ status: Int) -> Verdict {
        switch status {
        case 200..<300: .accepted
        case 500..<600: .retry("unexpected status code \(status)")
        default: .refused("unexpected status code \(status)")
        }
    }

    func run(metrics: NotifierMetrics) async -> Delivery {
        let began = monotonic()
        var delivery = Delivery(
            time: notification.flush.time, groupID: notification.flush.groupID,
            groupKey: notification.flush.groupKey, receiver: notification.receiver,
            integration: notification.integration, reason: notification.reason.rawValue, outcome: .failed, status: 0,
            attempts: 0, duration: 0, error: "",
            firing: notification.alerts.filter { $0.alert.endsAt == 0 }.map(\.fingerprint),
            resolved: notification.alerts.filter { $0.alert.endsAt != 0 }.map(\.fingerprint))
        let body = WebhookPayload.encode(notification, externalURL: externalURL)
        var backoff = Backoff()
        // The wall clock may be set meanwhile, the monotonic clock may not.
        let flush = notification.flush
        let deadline = began &+ flush.deadline.subtractingReportingOverflow(flush.time).partialValue
        while !Task.isCancelled {
            delivery.attempts += 1
            let verdict = await attempt(body, deadline: deadline, &delivery)
            delivery.duration = max(0, monotonic() - began)
            metrics.attempted(succeeded: verdict == .accepted)
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
        [notification.receiver, notification.integration, delivery.error]
    }

    /// The fields of a delivery in log messages; the error is that of its last failed attempt.
    func fields(_ delivery: Delivery) -> KeyValuePairs<String, String> {
        [
            "receiver": notification.receiver, "integration": notification.integration,
            "group": notification.flush.groupKey, "attempts": "\(delivery.attempts)", "err": delivery.error,
        ]
    }

    /// ms of the monotonic clock.
    private func monotonic() -> Int64 { clock.monotonic() / 1_000_000 }

    /// - Parameter deadline: ms of the monotonic clock.
    private func attempt(_ body: [UInt8], deadline: Int64, _ delivery: inout Delivery) async -> Verdict {
        let webhook = notification.webhook
        delivery.status = 0
        var url = webhook.url
        if !webhook.urlFile.isEmpty {
            let file = webhook.urlFile
            do throws(ConfigError) {
                url = try await Self.readURL(file)
            } catch {
                let reason = "unable to read url_file \(file): \(error.message)"
                return error.isUnanswered ? .retry(reason) : .refused(reason)
            }
        }
        let left = max(1, deadline - monotonic())
        let timeout = webhook.timeout > 0 ? min(webhook.timeout, left) : left
        do {
            let status = try await post(
                NotificationRequest(
                    url: url, headers: [("Content-Type", "application/json"), ("User-Agent", Self.userAgent)],
                    body: body, timeout: timeout))
            delivery.status = status
            return Self.verdict(status)
        } catch let error as HTTPClientError {
            // The URL of a webhook is often its only secret.
            return .retry(error.redacted)
        } catch {
            return .retry("\(error)")
        }
    }

    /// Sends a request.
    ///
    /// If the delivery is cancelled, an answer within a short time still counts, so that a successful delivery is not
    /// repeated.
    private func post(_ request: NotificationRequest) async throws -> Int {
        let transport = notification.webhook.transport
        let call = Task { try await transport.post(request) }
        return try await withTaskCancellationHandler {
            try await call.value
        } onCancel: {
            Task { [clock] in
                try? await clock.sleep(until: clock.now() &+ LastRequests.time)
                call.cancel()
            }
        }
    }

    /// Receivers that check it expect Alertmanager's name; the number is the version whose behaviour this follows.
    static let userAgent = "Alertmanager/0.28.0"

    /// The trimmed content of a file.
    ///
    /// URLs are read at every delivery, so that they can be changed without a reload.
    static func readURL(_ path: String) async throws(ConfigError) -> String {
        SecretFile.trimmed(try await ConfigFile.content(of: path))
    }
}
