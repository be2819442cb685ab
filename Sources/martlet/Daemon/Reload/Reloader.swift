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

/// Replaces the configuration in two phases: it prepares all of the new one, and then hands it to the parts.
///
/// Preparing changes nothing, and handing it over cannot fail. So after a failure the old configuration is in force in
/// every part.
final class Reloader: Sendable {
    private let options: DaemonOptions
    private let parts: Components
    private let status: DaemonStatus
    private let turns = ReloadTurns()
    /// Reloads that signals asked for and that have not ended.
    private let laterReloads = Atomic(0)
    private let log = Log("main")

    init(_ options: DaemonOptions, _ parts: Components, _ status: DaemonStatus) {
        self.options = options
        self.parts = parts
        self.status = status
    }

    // MARK: The two phases

    /// Reads and checks everything that the configuration names; changes nothing.
    func prepare(_ sources: ConfigurationSources) throws(PreparationError) -> PreparedConfiguration {
        try PreparedConfiguration(sources, engine: parts.engine)
    }

    /// Hands a prepared configuration to all parts.
    func commit(_ prepared: PreparedConfiguration) {
        let configuration = prepared.sources.configuration
        let external = configuration.global.externalLabels
        parts.rules.commit(prepared.rules) { $0.externalLabels = external }
        parts.journal.setLog(prepared.queryLog)
        parts.engine.setDefaultSubqueryStep(configuration.global.evaluationInterval)
        parts.alertSinks.apply(relabelRules: configuration.alerting.relabelRules, externalLabels: external)
        parts.alertmanagers.apply(prepared.endpoints)
        if let settings = prepared.sources.notifier { parts.notifier?.reload(settings) }
        parts.store.change(StoreSettings(options.store(configuration)))
        parts.scrape.apply(configuration)
        status.apply(configuration, prepared.sources.sum, at: parts.clock.now())
    }

    // MARK: Requests

    /// Reads the configuration again; the old one stays in force if the new one cannot be used.
    ///
    /// - Returns: The reason for a failure.
    func reload() -> String? { turns.run { reloadNow() } }

    /// Reloads on another thread, so that signals are taken meanwhile.
    func reloadLater() {
        // Of several that wait, one is enough.
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
            log.error("Reloading the configuration failed; the old one stays in force", ["err": "\(error)"])
            status.reloadFailed()
            return "\(error)"
        }
        let duration = (parts.clock.monotonic() - began) / 1_000_000
        log.info(
            "Completed loading of configuration file", ["filename": path, "totalDuration": "\(duration)ms"])
        return nil
    }

    // MARK: Changed files

    /// Looks at the configuration's files at an interval and reloads when they have changed; nil if nobody asked.
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

    /// Reloads if the files differ from those in force and from those that failed last.
    ///
    /// Files that are again those in force are read again after a failure, so that the failure is over.
    ///
    /// - Returns: The sum of files that could not be used; nil if the last reload went well.
    private func reloadIfChanged(besides failed: ConfigurationSum?) -> ConfigurationSum? {
        let inForce = status.inForce
        guard let sum = ConfigurationSum(inForce.configuration, options.files) else {
            log.warn("A configuration file cannot be read to see whether it has changed")
            return failed
        }
        if sum == failed || sum == inForce.sum && inForce.reloadSucceeded { return failed }
        log.info("Configuration file change detected, reloading the configuration.")
        return reload() == nil ? nil : sum
    }
}
