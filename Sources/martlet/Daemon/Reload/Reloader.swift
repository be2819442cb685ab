import API
import Config
import Model
import Notify
import Platform
import PromQL
import Rules
import Scrape
import Storage
import Synchronization
import Telemetry

/// Replaces the configuration in two phases: it prepares the new one completely, and then applies it to the parts.
///
/// Preparing changes nothing, and applying cannot fail. So after a failure all parts keep the old configuration.
final class Reloader: Sendable {
    private let options: DaemonOptions
    private let parts: Components
    private let status: DaemonStatus
    private let turns = ReloadTurns()
    /// The reloads that signals have requested and that have not ended.
    private let laterReloads = Atomic(0)
    private let log = Log("main")

    init(_ options: DaemonOptions, _ parts: Components, _ status: DaemonStatus) {
        self.options = options
        self.parts = parts
        self.status = status
    }

    // MARK: The two phases

    /// Reads and checks all files of the configuration; changes nothing.
    func prepare(_ sources: ConfigurationSources) throws(PreparationError) -> PreparedConfiguration {
        try PreparedConfiguration(
            sources, engine: parts.engine, readsOwnRuleKeys: options.features.contains(.martletRules),
            builtIn: try PreparationStep.rules.run { try parts.builtInRules(sources.configuration) })
    }

    /// Applies a prepared configuration to all parts.
    func commit(_ prepared: PreparedConfiguration) {
        let configuration = prepared.sources.configuration
        let external = configuration.global.externalLabels
        parts.rules.commit(prepared.rules) { $0.externalLabels = external }
        parts.journal.setLog(prepared.queryLog)
        parts.engine.setDefaultSubqueryStep(configuration.global.evaluationInterval)
        parts.alertSinks.apply(relabelRules: configuration.alerting.relabelRules, externalLabels: external)
        parts.alertmanagerDiscovery.apply(prepared.alertmanagers)
        if let settings = prepared.sources.notifier { parts.notifier?.reload(settings) }
        parts.store.change(StoreSettings(options.store(configuration)))
        parts.expectedTargets?.apply(
            configuration.scrapeConfigs.map { ($0.jobName, $0.fingerprint) }, at: parts.clock.now())
        parts.heartbeats?.apply(
            prepared.sources.heartbeats.incoming.map {
                Heartbeats.Expected(name: $0.name, interval: $0.interval, labels: $0.labels)
            })
        parts.pings?.apply(prepared.sources.heartbeats.outgoing)
        parts.scrape.apply(configuration)
        status.apply(configuration, prepared.sources.sum, at: parts.clock.now())
    }

    // MARK: Requests

    /// Reads the configuration again.
    ///
    /// The old one stays in use if the new one cannot be used.
    ///
    /// - Returns: The reason of a failure.
    func reload() -> String? { turns.run { reloadNow() } }

    /// Reloads on another thread, so that signals are still handled.
    func reloadLater() {
        // One waiting reload suffices for several signals.
        if laterReloads.add(1, ordering: .relaxed).newValue > 3 {
            laterReloads.subtract(1, ordering: .relaxed)
            return
        }
        BlockingCall.start { [self] in
            _ = reload()
            laterReloads.subtract(1, ordering: .relaxed)
        }
    }

    private func reloadNow() -> String? {
        let path = options.files.configuration
        log.info("Loading configuration file", ["filename": path])
        let began = parts.clock.monotonic()
        do throws(PreparationError) {
            commit(try prepare(try ConfigurationSources.read(options)))
        } catch {
            log.error("Reloading the configuration failed; the old one stays in use", ["err": "\(error)"])
            status.reloadFailed()
            return "\(error)"
        }
        // The old rules and targets, and the texts of the files, may have been large.
        Heaps.giveBackSoon()
        let duration = (parts.clock.monotonic() - began) / 1_000_000
        log.info(
            "Completed loading of configuration file", ["filename": path, "totalDuration": "\(duration)ms"])
        return nil
    }

    // MARK: Changed files

    /// Checks the configuration's files at an interval, and reloads after a change; nil if this is disabled.
    func watchFiles() -> Task<Void, Never>? {
        guard let interval = options.files.autoReloadInterval else { return nil }
        return Task { [self] in
            let clock = parts.clock
            var failed: ConfigurationSum?
            while !Task.isCancelled {
                do { try await clock.sleep(until: clock.now() + interval) } catch { return }
                let known = failed
                failed = await BlockingCall.run { self.reloadIfChanged(besides: known) }
            }
        }
    }

    /// Reloads if the files differ from those in use and from those that failed last.
    ///
    /// After a failure, files that are equal to those in use are read again, so that the failure ends.
    ///
    /// - Returns: The hash of files that could not be used; nil if the last reload succeeded.
    private func reloadIfChanged(besides failed: ConfigurationSum?) -> ConfigurationSum? {
        let inForce = status.inForce
        guard let sum = ConfigurationSum(inForce.configuration, options.files) else {
            log.warn("A configuration file cannot be read to check for changes")
            return failed
        }
        if sum == failed || sum == inForce.sum && inForce.reloadSucceeded { return failed }
        log.info("Configuration file change detected, reloading the configuration.")
        return reload() == nil ? nil : sum
    }
}
