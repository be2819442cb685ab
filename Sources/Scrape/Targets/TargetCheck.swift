import Config
import Discovery

/// Builds targets without scraping them, to report those that cannot work.
package enum TargetCheck {
    /// The error of one target.
    package struct Finding: Sendable {
        /// The index of the target in its group, from 0.
        package var index: Int
        package var reason: String
        /// Whether the target exists, but all its scrapes fail.
        package var isScraped: Bool
    }

    package static func findings(_ group: TargetGroup, of job: ScrapeConfig) -> [Finding] {
        let builder = TargetBuilder(config: job)
        return group.targets.enumerated().compactMap { index, target in
            switch builder.build(target, group) {
            case .dropped: nil
            case .failed(let reason): Finding(index: index, reason: reason, isScraped: false)
            case .active(let definition):
                definition.urlProblem.map { Finding(index: index, reason: $0, isScraped: true) }
            }
        }
    }
}
