import Model

/// Sends alerts to several sinks.
package final class AlertFanOut: AlertSink {
    private let sinks: [any AlertSink]

    package init(_ sinks: [any AlertSink]) { self.sinks = sinks }

    package func send(_ alerts: [Alert]) { for sink in sinks { sink.send(alerts) } }
}
