import CPlatform

/// The version of this build, and of the Prometheus with which it is compatible.
package enum ProductVersion {
    /// Martlet's own version.
    package static let own = "0.2.0"
    /// The Prometheus version whose flags, configuration, API and language this build has.
    package static let prometheus = "3.14.0"
    /// The Alertmanager version whose configuration, requests and API the built-in notifier has.
    package static let alertmanager = "0.34.0"
    /// The version in `/api/v1/status/buildinfo`: clients read Prometheus's version from its start.
    package static let api = prometheus + "+martlet." + own
    /// The `User-Agent` of scrapes and of other requests that Prometheus makes, too.
    package static let userAgent = "Prometheus/" + prometheus + " (compatible; Martlet/" + own + ")"

    /// The git revision; `unknown` unless the build sets it, as `make build` does.
    package static var revision: String { String(cString: cplatform_build_revision()) }
    package static var branch: String { String(cString: cplatform_build_branch()) }
    package static var buildUser: String { String(cString: cplatform_build_user()) }
    package static var buildDate: String { String(cString: cplatform_build_date()) }

    /// The output of `--version`, in Prometheus's format.
    package static var text: String {
        """
        martlet, version \(own) (branch: \(branch), revision: \(revision))
          build user:       \(buildUser)
          build date:       \(buildDate)
          swift version:    \(swift)
          platform:         linux/\(architecture)
          prometheus:       \(prometheus)
        """
    }

    package static let swift = "6.3"

    package static var architecture: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }
}
