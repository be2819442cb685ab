import Glibc
import TestSupport
import Testing

@testable import Platform

@Suite struct OpenFilesTests {
    @Test func `a limit that is too low is told with what to do`() {
        #expect(OpenFiles.shortage(limit: 32) == nil && OpenFiles.shortage(limit: .max) == nil)
        let reason = OpenFiles.shortage(limit: 19)
        #expect(reason?.contains("ulimit -n") == true && reason?.contains("19") == true)
    }

    @Test(arguments: [32, 64, 256, 1024, 65_536, 1_048_576, .max] as [UInt64])
    func `connections leave files to the store, whatever the limit is`(limit: UInt64) {
        let parts = OpenFiles.Parts(limit: limit)
        #expect(parts.clients >= 2 && parts.scrapes >= 4 && parts.requests >= 4)
        #expect(parts.clients >= parts.scrapes || parts.clients >= 4)
        // Half of what connections to targets and others have besides is for names that are looked up.
        let most = parts.clients + (parts.scrapes + parts.requests) * 4 / 3
        #expect(most <= Int(clamping: limit - min(limit / 4, 64)))
    }

    @Test func `the limit is raised to the highest there may be`() async {
        await #expect(processExitsWith: .success) {
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            var limit = rlimit()
            getrlimit(resource, &limit)
            let highest = limit.rlim_max
            limit.rlim_cur = min(highest, 200)
            setrlimit(resource, &limit)
            OpenFiles.raiseLimit()
            getrlimit(resource, &limit)
            precondition(limit.rlim_cur == highest)
        }
    }
}
