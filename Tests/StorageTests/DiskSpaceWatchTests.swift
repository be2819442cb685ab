import Testing

@testable import Storage

@Suite("How full the disk is")
struct DiskSpaceWatchTests {
    @Test("a level is reached at its bytes and left at twice as many")
    func levels() {
        var level = DiskSpaceWatch.Level.plenty
        var seen: [DiskSpaceWatch.Level] = []
        for megabytes in [500, 65, 63, 65, 127, 128, 100, 63, 2, 0, 1, 3, 100, 129] {
            level = DiskSpaceWatch.level(free: megabytes << 20, before: level)
            seen.append(level)
        }
        #expect(
            seen == [
                .plenty, .plenty, .little, .little, .little, .plenty, .plenty, .little, .little, .none, .none, .little,
                .little, .plenty,
            ])
    }
}
