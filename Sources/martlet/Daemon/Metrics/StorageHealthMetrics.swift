import Storage
import Telemetry

/// Metrics about data that the storage cannot read.
enum StorageHealthMetrics {
    static func register(_ registry: MetricRegistry, _ store: TimeSeriesStore) {
        registry.addCollector { [weak store] in
            guard let parts = store?.leftOut else { return [] }
            func count(isBlock: Bool, _ kind: LeftOutPart.Kind) -> Double {
                Double(parts.count { $0.isBlock == isBlock && $0.kind == kind })
            }
            return [
                MetricFamily(
                    name: "martlet_storage_blocks_left_out",
                    help: "Blocks that answers lack, whole or in part, because they cannot be read.", kind: .gauge,
                    samples: LeftOutPart.Kind.allCases.map {
                        .init(labels: [("reason", $0.rawValue)], value: count(isBlock: true, $0))
                    }),
                MetricFamily(
                    name: "martlet_storage_log_files_damaged",
                    help:
                        "Files of the write-ahead log, checkpoints and chunks of the head that were damaged or missing.",
                    kind: .gauge,
                    samples: [.init(value: Double(parts.count { !$0.isBlock }))]),
            ]
        }
    }
}
