import Foundation
import Testing

/// The environment variables of builds and tests, held against the table in CONTRIBUTING.md.
@Suite("Environment variables")
struct VariableTests {
    private static func names(_ text: String) -> Set<String> {
        Set(text.matches(of: /MARTLET_[A-Z_]+[A-Z]/).map { String($0.0) })
    }

    @Test("CONTRIBUTING.md has each environment variable that something reads, and no other")
    func table() throws {
        var read: Set<String> = []
        for folder in ["Tests", "Sources", "scripts"] {
            let files = FileManager.default.enumerator(atPath: ProjectFiles.root + "/" + folder)?.compactMap {
                $0 as? String
            }
            for file in files ?? [] where file.hasSuffix(".swift") || file.hasSuffix(".sh") {
                read.formUnion(Self.names(try ProjectFiles.text(folder + "/" + file)))
            }
        }
        for file in ["Package.swift", "Makefile"] { read.formUnion(Self.names(try ProjectFiles.text(file))) }
        #expect(read.count > 10, "\(read.sorted())")
        let listed = Self.names(try ProjectFiles.text("CONTRIBUTING.md"))
        #expect(read.subtracting(listed).isEmpty, "CONTRIBUTING.md lacks some")
        #expect(listed.subtracting(read).isEmpty, "CONTRIBUTING.md lists some that nothing reads")
    }
}
