import Config
import HTTP
import Model
import Platform
import Scrape
import Storage
import Synchronization
import Telemetry

/// What the daemon says when it starts.
extension Daemon {
    /// Says which build starts with which settings, before anything is opened.
    static func reportStart(_ options: DaemonOptions) {
        let log = Log("main")
        log.info(
            "Starting martlet",
            [
                "version": ProductVersion.own, "prometheus": ProductVersion.prometheus,
                "revision": ProductVersion.revision, "config": options.flags.text("config.file"),
                "directory": options.flags.text("storage.tsdb.path"),
            ])
        options.features.warn(log)
        for (name, reason) in options.flags.ignored {
            log.warn("A flag changes nothing here", ["flag": "--" + name, "reason": reason])
        }
    }

    /// Says what the store has, once it is open.
    func reportStore() {
        let statistics = store.statistics(limit: 0)
        let retention = retentionText
        log.info(
            "The storage is open",
            [
                "blocks": "\(statistics.blocks)", "series": "\(statistics.series)",
                "retention": retention.isEmpty ? "none" : retention,
            ])
    }

    /// Says where the daemon listens and who may ask.
    func reportListening() {
        let flags = options.flags
        let hasWebConfig = !flags.text("web.config.file").isEmpty
        log.info(
            "Server is ready to receive web requests.",
            [
                "address": flags.all("web.listen-address").joined(separator: ","),
                "url": ConfigURL.shown(options.externalURL),
                "web_config": hasWebConfig ? flags.text("web.config.file") : "none",
                "lifecycle": flags.boolean("web.enable-lifecycle") ? "on" : "off",
                "admin_api": flags.boolean("web.enable-admin-api") ? "on" : "off",
                "remote_write_receiver": flags.boolean("web.enable-remote-write-receiver") ? "on" : "off",
            ])
        if !hasWebConfig {
            log.info("TLS and authentication are off: everybody who reaches the address may read")
        }
    }
}
