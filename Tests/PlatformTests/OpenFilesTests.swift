import Testing

@testable import Platform

@Suite struct OpenFilesTests {
    @Test func `a limit that is too low is told with what to do`() {
        #expect(OpenFiles.shortage(limit: 32) == nil && OpenFiles.shortage(limit: .max) == nil)
        let reason = OpenFiles.shortage(limit: 19)
        #expect(reason?.contains("ulimit -n") == true && reason?.contains("19") == true)
    }
}
