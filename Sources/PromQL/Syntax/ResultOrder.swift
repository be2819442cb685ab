extension Expression {
    /// Whether the query may determine the order of an instant query's result, for example with `sort` or `topk`.
    package var choosesOrder: Bool {
        var waiting = [self]
        while let expression = waiting.popLast() {
            switch expression {
            case .call(let call) where call.function.traits.contains(.ordersResult): return true
            case .aggregation(let aggregation):
                switch aggregation.op {
                case .topk, .bottomk, .limitk, .limitRatio: return true
                default: break
                }
            default: break
            }
            waiting += expression.children
        }
        return false
    }
}
