extension TestCommand {
    static func promql(_ paths: [String]) -> Int32 {
        Command.complain("not supported yet: test promql")
        return 1
    }
}
