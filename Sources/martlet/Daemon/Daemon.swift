import API
import Config
import HTTP
import Model
import Notify
import Platform
import PromQL
import Rules
import Storage
import Telemetry

/// The life cycle of the daemon: it starts its parts, serves until it is asked to stop, and stops them in order.
final class Daemon: Sendable {
    let options: DaemonOptions
    let parts: Components
    let status = DaemonStatus()
    let stopRequest: StopRequest
    private let reloader: Reloader
    private let startTime: Int64
    private let log = Log("main")

    /// Reads the configuration, builds all parts, and applies the configuration to them.
    init(_ options: DaemonOptions, clock: any Clock = SystemClock()) throws {
        self.options = options
        startTime = clock.now()
        if let reason = OpenFiles.shortage {
            throw StartError(what: "The limit of open files is too low", reason: reason)
        }
        if let reason = AddressSpace.shortage {
            throw StartError(what: "The address space is too small", reason: reason)
        }
        let sources = try ConfigurationSources.readFirst(options)
        parts = try Components(options, sources, clock: clock)
        stopRequest = StopRequest(clock: clock)
        reloader = Reloader(options, parts, status)
        ProcessMetrics.register(parts.metrics, startTime: startTime)
        DaemonMetrics.register(parts.metrics, status, hasNotifier: parts.notifier != nil)
        StorageMetrics.register(parts.metrics, parts.store)
        StorageHealthMetrics.register(parts.metrics, parts.store)
        ClockMetrics.register(parts.metrics, parts.store)
        reloader.commit(try reloader.prepare(sources))
        StartReport.store(parts.store)
    }

    /// Serves until a signal or `/-/quit` stops the daemon; returns the exit status.
    func run() -> Int32 {
        Signals.listen { [self] request in
            switch request {
            case .reload: reloader.reloadLater()
            case .stop(let signal): stopRequest.signal(signal, isStopping: status.isStopping)
            }
        }
        let server: HTTPServer
        do {
            let settings = try WebSettings.options(
                options.web, clock: parts.clock, queryMemory: parts.engine.options.memoryBudget)
            let routes = DaemonRoutes(options: options, parts: parts, control: self, startTime: startTime)
            server = HTTPServer(router: routes.router(), options: settings, clock: parts.clock)
            try server.start(options.web.listenAddresses)
        } catch let error as StartError {
            log.error(error.what, ["err": error.reason])
            try? parts.store.close()
            return error.status
        } catch {
            log.error("Unable to start web listener", ["err": "\(error)"])
            try? parts.store.close()
            return 1
        }
        parts.alertmanagers.start()
        parts.notifier?.start()
        parts.rules.start()
        parts.pings?.start()
        status.serve()
        StartReport.listening(options.web)
        let watch = reloader.watchFiles()
        stopRequest.wait()
        watch?.cancel()
        return Shutdown(
            plan: ShutdownPlan(grace: options.shutdownGrace), parts: parts, status: status, server: server,
            hurry: stopRequest.hurry
        ).run()
    }
}

extension Daemon: DaemonControl {
    var unreadyReason: String? { status.unreadyReason }
    var isStopping: Bool { status.isStopping }
    var externalLabels: Labels { status.inForce.configuration.global.externalLabels }

    var lastReload: (succeeded: Bool, time: Int64) {
        let inForce = status.inForce
        return (inForce.reloadSucceeded, inForce.time)
    }

    var configurationText: String {
        let configuration = status.inForce.configuration
        let retention = options.retention(configuration.storage)
        return configuration.effectiveText(retentionTime: retention.time, retentionSize: retention.size)
    }

    func reload() -> String? { reloader.reload() }

    func quit() { stopRequest.request() }
}
