import Config
import Glibc
import Model
import PromQL
import Rules
import TestSupport
import Testing

@Suite("Community rules")
struct CommunityRulesTests {
    static let folder = SharedFolder.path("community-rules")

    static var files: [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".yml") { names.append(name) }
        }
        return names.sorted()
    }

    @Test(
        "every label and annotation expands",
        .enabled(if: SharedFolder.has("community-rules"), "needs ../shared/community-rules"))
    func expand() throws {
        var count = 0
        for name in Self.files {
            let file = try RuleFileLoader.load(path: Self.folder + "/" + name)
            for rule in file.groups.flatMap(\.rules) where rule.kind == .alerting {
                for text in rule.annotations.map(\.value) + rule.labels.map(\.value) {
                    let template = try AlertTemplate(text, alert: rule.name)
                    let expanded = try template.expand(
                        TemplateData(
                            labels: Labels([("instance", "i:1"), ("job", "j")]), externalLabels: .empty,
                            externalURL: "", value: .float(1.5)),
                        AlertTemplateFunctions(now: 0, externalURL: "") { _ in [] })
                    #expect(!expanded.contains("{{") && !expanded.contains("%!"), "\(name): \(rule.name): \(expanded)")
                    count += 1
                }
            }
        }
        #expect(count > 1000)
    }
}
