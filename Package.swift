// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: strict from the first day, warnings are errors.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// One module: a target in `Sources/NAME` that may import only what is listed.
func module(_ name: String, _ dependencies: [Target.Dependency], _ more: [SwiftSetting] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings + more)
}

/// Stops the optimiser from making a version of a function for each closure that it is given.
///
/// Nodes of a query give their series to each other through closures: without this, each node is made again for each
/// chain of closures, and a release build of `PromQL` takes more than ten minutes.
let withoutClosureVersions: [SwiftSetting] = [.unsafeFlags(["-Xllvm", "-sil-disable-pass=closure-specialize"])]

/// Leaves out the run-time checks of overlapping accesses to variables of objects, in release builds of the modules that
/// do work for each sample.
///
/// They take 3 % of the time of a query. The debug build, which the tests use, has them.
let withoutAccessChecks: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

/// The tests of one module, in `Tests/NAMETests`.
func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.init(stringLiteral: name), "TestSupport"] + dependencies,
        exclude: exclude, swiftSettings: settings)
}

/// The revision, branch, user and date that `make build` puts into the environment.
let buildStamp: [CSetting] = ["MARTLET_REVISION", "MARTLET_BRANCH", "MARTLET_BUILD_USER", "MARTLET_BUILD_DATE"]
    .compactMap { name in
        guard let text = Context.environment[name], !text.isEmpty, !text.contains("\"") else { return nil }
        return .define(name, to: "\"\(text)\"")
    }

/// A Debian library behind a module map in `Sources/NAME`, which names what is linked.
///
/// pkg-config would put the directory of shared libraries before that of the archives that `make build` links.
func library(_ name: String, _ package: String) -> Target {
    .systemLibrary(name: name, providers: [.apt([package])])
}

// Lowest module first: a module may know only modules above it. `docs/architecture.md` holds the same table.
let package = Package(
    name: "martlet",
    products: [.executable(name: "martlet", targets: ["martlet"])],
    targets: [
        library("CZstd", "libzstd-dev"),
        library("CZlib", "zlib1g-dev"),
        library("CYAML", "libyaml-dev"),
        library("CCurl", "libcurl4-openssl-dev"),
        library("CTLS", "libssl-dev"),
        library("CSnappy", "libsnappy-dev"),
        .target(name: "CRE2", linkerSettings: [.linkedLibrary("re2")]),
        .target(name: "CXXHash"),
        .target(name: "CPlatform", cSettings: buildStamp),
        .target(name: "CAssets", exclude: ["files"], cSettings: [.unsafeFlags(["-Wno-c23-extensions"])]),

        module("Platform", ["CPlatform"]),
        module("GoCompatibility", []),
        module("Telemetry", ["GoCompatibility", "Platform"]),
        module("Model", ["CRE2", "CXXHash", "GoCompatibility"]),
        module("GoTemplate", ["GoCompatibility", "Model"]),
        module("JSON", ["Model"]),
        module("Encoding", ["CPlatform", "CZstd", "CZlib", "CSnappy", "Model"], withoutAccessChecks),
        module("Exposition", ["GoCompatibility", "Model", "Encoding"], withoutAccessChecks),
        module("Config", ["CYAML", "GoCompatibility", "Model", "JSON", "Platform"]),
        module(
            "Storage", ["CPlatform", "GoCompatibility", "Platform", "Telemetry", "Model", "JSON", "Encoding"],
            withoutAccessChecks),
        module("Interchange", ["GoCompatibility", "Platform", "Model", "JSON", "Encoding", "Exposition", "Storage"]),
        module(
            "PromQL", ["GoCompatibility", "Platform", "Model", "Encoding"], withoutClosureVersions + withoutAccessChecks
        ),
        module(
            "HTTP",
            [
                "CTLS", "CCurl", "CZlib", "CPlatform", "GoCompatibility", "Platform", "Telemetry", "Model", "JSON",
                "Encoding", "Config",
            ]),
        module("Discovery", ["GoCompatibility", "Platform", "Telemetry", "Model", "JSON", "Config", "HTTP"]),
        module(
            "Scrape",
            [
                "GoCompatibility", "Platform", "Telemetry", "Model", "Encoding", "Exposition", "Config", "HTTP",
                "Discovery",
            ]),
        module(
            "Rules", ["GoCompatibility", "GoTemplate", "Platform", "Telemetry", "Model", "JSON", "Config", "PromQL"]),
        module(
            "Notify",
            [
                "CPlatform", "CCurl", "GoCompatibility", "GoTemplate", "Platform", "Telemetry", "Model", "JSON",
                "Encoding", "Config", "HTTP", "Discovery",
            ]),
        module("AlertClient", ["GoCompatibility", "Model", "JSON", "Config", "HTTP", "Notify"]),
        module("Remote", ["CSnappy", "Platform", "Telemetry", "Model", "Encoding", "HTTP"]),
        module(
            "API",
            [
                "GoCompatibility", "Platform", "Telemetry", "Model", "JSON", "Exposition", "PromQL", "HTTP", "Scrape",
                "Rules",
            ]),
        module("AlertAPI", ["GoCompatibility", "Platform", "Model", "JSON", "Config", "HTTP", "Notify"]),
        module("Web", ["CAssets", "Platform", "Model", "HTTP", "JSON"]),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "GoCompatibility", "Platform", "Telemetry", "Model", "JSON", "Encoding", "Exposition", "Config",
                "Storage",
                "Interchange",
                "PromQL", "HTTP", "Discovery", "Scrape", "Rules", "Notify", "AlertClient", "Remote", "API", "AlertAPI",
                "Web",
            ],
            swiftSettings: settings),

        .executableTarget(
            name: "Benchmarks", dependencies: ["CReference", "Platform", "Model", "Encoding", "Storage"],
            path: "Benchmarks", exclude: ["Reference", "rules.py", "storm.py"], swiftSettings: settings),
        .target(name: "CReference", path: "Benchmarks/Reference"),
        .target(
            name: "TestSupport", dependencies: ["Platform", "Model"], path: "Tests/TestSupport", swiftSettings: settings
        ),
        tests("GoCompatibility", []),
        tests("Platform", []),
        tests("Telemetry", ["Platform"]),
        tests("Model", ["GoCompatibility"]),
        tests("JSON", ["Model"]),
        tests("Encoding", ["CPlatform", "Model"]),
        tests("Exposition", ["Model", "Encoding", "JSON"]),
        tests("Config", ["Model", "JSON", "Platform"]),
        tests("Storage", ["Platform", "Telemetry", "Model", "JSON", "Encoding"]),
        tests("Interchange", ["Platform", "Model", "JSON", "Encoding", "Exposition", "Storage"]),
        tests(
            "PromQL", ["GoCompatibility", "Platform", "Model", "Encoding"],
            exclude: ["Histograms/golden_histograms.py", "Testing/Scripts"]),
        tests("HTTP", ["Platform", "Telemetry", "Model", "JSON", "Config", "Encoding"]),
        tests("Discovery", ["GoCompatibility", "Platform", "Telemetry", "Model", "Config"]),
        tests("Scrape", ["Platform", "Telemetry", "Model", "Encoding", "Exposition", "Config", "HTTP", "Discovery"]),
        tests("GoTemplate", ["GoCompatibility", "Model"]),
        tests(
            "Rules", ["GoTemplate", "Platform", "Telemetry", "Model", "JSON", "Config", "PromQL"],
            exclude: ["UnitTest/Files"]),
        tests("Notify", ["GoTemplate", "Platform", "Telemetry", "Model", "JSON", "Config", "HTTP", "Discovery"]),
        tests("AlertClient", ["GoCompatibility", "Platform", "Model", "JSON", "Config", "Notify"]),
        tests("Remote", ["Platform", "Telemetry", "Model", "HTTP"]),
        tests(
            "API",
            [
                "Platform", "Telemetry", "Model", "JSON", "Config", "Storage", "PromQL", "HTTP", "Discovery", "Scrape",
                "Rules", "Notify", "Remote",
            ]),
        tests("AlertAPI", ["Platform", "Telemetry", "Model", "JSON", "Config", "HTTP", "Notify"]),
        tests("Web", ["Platform", "Model", "HTTP"]),
        tests(
            "martlet",
            [
                "Platform", "Telemetry", "Model", "JSON", "Config", "HTTP", "Remote", "Storage", "PromQL", "Scrape",
                "Rules", "Notify", "API", "AlertAPI", "Web",
            ]),
        .testTarget(name: "ArchitectureTests", swiftSettings: settings),
        .testTarget(name: "EndToEndTests", dependencies: ["TestSupport", "JSON", "Model"], swiftSettings: settings),
    ],
    cxxLanguageStandard: .cxx17
)

// Fuzzing needs a driver that only `-sanitize=fuzzer` links: see scripts/fuzz.sh.
if Context.environment["MARTLET_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "TestSupport", "Platform", "Telemetry", "Model", "JSON", "Encoding", "Exposition", "Storage",
                "Interchange", "PromQL", "HTTP", "Remote", "API", "Config", "Discovery", "Rules", "Notify", "AlertAPI",
                "AlertClient", "GoCompatibility",
            ],
            path: "Tests/Fuzz", swiftSettings: settings))
}

// Builds and tests some modules only: `MARTLET_ONLY=HTTP,Scrape swift build --build-tests` keeps these modules, their
// tests and what both need. With `martlet` in the list the binary is built too.
if let only = Context.environment["MARTLET_ONLY"], !only.isEmpty {
    var dependencies: [String: [String]] = [:]
    for target in package.targets {
        dependencies[target.name] = target.dependencies.compactMap {
            switch $0 {
            case .byNameItem(let name, _), .targetItem(let name, _): name
            default: nil
            }
        }
    }
    var kept: Set<String> = []
    var waiting = only.split(separator: ",").flatMap { [String($0), $0 + "Tests"] }
    while let name = waiting.popLast() {
        guard let needs = dependencies[name], kept.insert(name).inserted else { continue }
        waiting += needs
    }
    package.targets.removeAll { !kept.contains($0.name) }
    if !kept.contains("martlet") { package.products = [] }
}
