import Testing

@testable import Platform

@Suite("Memory of the machine")
struct MachineMemoryTests {
    @Test(
        "The least of the machine and its control groups counts",
        arguments: [
            ("", [:], 1000), ("0::/\n", ["/sys/fs/cgroup/memory.max": "max\n"], 1000),
            ("0::/\n", ["/sys/fs/cgroup/memory.max": "400\n"], 400),
            (
                "0::/a/b\n", ["/sys/fs/cgroup/a/memory.max": "300\n", "/sys/fs/cgroup/a/b/memory.max": "max\n"], 300
            ),
            ("0::/../x\n", ["/sys/fs/cgroup/x/memory.max": "200\n"], 200),
            (
                "5:memory:/d\n4:cpu:/\n",
                [
                    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                    "/sys/fs/cgroup/memory/d/memory.limit_in_bytes": "100",
                ],
                100
            ),
            ("4:cpu:/\n", ["/sys/fs/cgroup/memory.max": "5"], 1000), ("broken", [:], 1000),
        ] as [(String, [String: String], Int)])
    func limit(groups: String, files: [String: String], limit: Int) {
        #expect(MachineMemory.limit(machine: 1000, groups: groups) { files[$0] } == limit)
    }

    @Test("This machine has some")
    func real() { #expect(MachineMemory.limit > 1 << 20) }
}
