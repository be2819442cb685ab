import API
import Config
import HTTP
import Model
import Platform
import Storage
import Telemetry

/// Logs the start of the daemon.
enum StartReport {
    private static let log = Log("main")

    /// Logs the build and the settings, before anything is opened.
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
            log.warn("A flag has no effect", ["flag": "--" + name, "reason": reason])
        }
    }

    /// Logs the content of the storage after it was opened.
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

    /// Logs the addresses of the listeners, and who has access.
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
            log.info("TLS and authentication are off: everybody who can reach the address has access")
        }
    }
}
