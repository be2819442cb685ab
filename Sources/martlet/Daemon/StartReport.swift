import API
import Config
import HTTP
import Model
import Platform
import Storage
import Telemetry

/// What the daemon logs when it starts.
enum StartReport {
    private static let log = Log("main")

    /// Logs which build starts with which settings, before anything is opened.
    static func start(_ options: DaemonOptions) {
        log.info(
            "Starting martlet",
            [
                "version": ProductVersion.own, "prometheus": ProductVersion.prometheus,
                "revision": ProductVersion.revision, "config": options.files.configuration,
                "directory": options.storage.directory,
            ])
        options.features.warn(log)
        for (name, reason) in options.ignoredFlags {
            log.warn("A flag changes nothing here", ["flag": "--" + name, "reason": reason])
        }
    }

    /// Logs what the store has, once it is open.
    static func store(_ store: TimeSeriesStore) {
        let statistics = store.statistics(limit: 0)
        let retention = store.retentionText
        log.info(
            "The storage is open",
            [
                "blocks": "\(statistics.blocks)", "series": "\(statistics.series)",
                "retention": retention.isEmpty ? "none" : retention,
            ])
    }

    /// Logs where the daemon listens and who may ask.
    static func listening(_ web: WebOptions) {
        func state(_ isOn: Bool) -> String { isOn ? "on" : "off" }
        log.info(
            "Server is ready to receive web requests.",
            [
                "address": web.givenAddresses.joined(separator: ","), "url": ConfigURL.shown(web.externalURL),
                "web_config": web.file?.path ?? "none", "lifecycle": state(web.enablesLifecycle),
                "admin_api": state(web.enablesAdmin), "remote_write_receiver": state(web.enablesRemoteWrite),
            ])
        if web.file == nil {
            log.info("TLS and authentication are off: everybody who reaches the address may read")
        }
    }
}
