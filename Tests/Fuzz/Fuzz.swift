import Encoding
import Exposition
import Glibc
import Interchange
import JSON
import Model
import Platform
import PromQL
import TestSupport

@testable import Storage

/// libFuzzer's loop with one of the targets below: `Fuzz TARGET [libFuzzer's flags] [CORPUS…]`.
///
/// Built with `-sanitize=fuzzer` by `make fuzz`; a target must take any bytes without a trap.
@main
struct Fuzz {
    static let targets: [(name: String, run: @Sendable (UnsafeRawBufferPointer) -> Void)] = [
        ("wal", { StoreTargets.log($0) }), ("checkpoint", { StoreTargets.checkpoint($0) }),
        ("block", { StoreTargets.frame($0) }), ("index", { StoreTargets.index($0) }),
        ("manifest", { StoreTargets.manifest($0) }), ("deletions", { StoreTargets.deletions($0) }),
        ("prometheus-chunk", { PrometheusTargets.chunk($0) }),
        ("prometheus-index", { PrometheusIndexTarget.block($0) }),
        ("prometheus-wal", { PrometheusHeadTarget.head($0) }),
        ("exposition", { TextTargets.exposition($0) }),
        ("yaml", { ConfigTargets.yaml($0) }), ("config", { ConfigTargets.config($0) }),
        ("template", { ConfigTargets.template($0) }), ("alert-data", { AlertTargets.data($0) }),
        ("http-request", { RequestTargets.request($0) }),
        ("remote-write-v1", { PushTargets.push($0, type: "application/x-protobuf") }),
        (
            "remote-write-v2",
            { PushTargets.push($0, type: "application/x-protobuf;proto=io.prometheus.write.v2.Request") }
        ),
        ("alert-api", { AlertAPITargets.request($0) }),
        ("api-parameters", { PushTargets.parameters($0) }),
        ("promql", { TextTargets.promql($0) }), ("gzip", { GzipTarget.decode($0) }), ("json", { TextTargets.json($0) }),
        ("dns", { DNSTarget.answer($0) }),
    ]

    nonisolated(unsafe) static var chosen: (UnsafeRawBufferPointer) -> Void = { _ in }

    static func main() {
        var arguments = CommandLine.arguments
        guard arguments.count > 1, let target = targets.first(where: { $0.name == arguments[1] }) else {
            print("usage: Fuzz \(targets.map(\.name).joined(separator: "|")) [FLAGS] [CORPUS…]")
            exit(2)
        }
        chosen = target.run
        arguments.remove(at: 1)
        var pointers = arguments.map { strdup($0) } + [nil]
        var count = Int32(arguments.count)
        pointers.withUnsafeMutableBufferPointer { buffer in
            var base = buffer.baseAddress
            exit(
                runDriver(&count, &base) { data, size in
                    Fuzz.chosen(UnsafeRawBufferPointer(start: data, count: size))
                    return 0
                })
        }
    }
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32
