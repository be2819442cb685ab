/// Name and types of a PromQL function.
package struct FunctionSignature: Sendable {
    package var name: String
    package var arguments: [ValueType]
    /// 0: exactly ``arguments``; n > 0: up to n of the last may be missing; negative: the last may be repeated.
    package var variadic: Int
    package var result: ValueType
    /// Needs `--enable-feature=promql-experimental-functions`.
    package var isExperimental: Bool

    package init(
        _ name: String, _ arguments: [ValueType], variadic: Int = 0, result: ValueType = .vector,
        isExperimental: Bool = false
    ) {
        self.name = name
        self.arguments = arguments
        self.variadic = variadic
        self.result = result
        self.isExperimental = isExperimental
    }
}
