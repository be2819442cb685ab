/// The summation of Kahan and Neumaier, as in Prometheus.
public enum KahanSum {
    /// Adds `value` to `sum`, whose lost low bits are collected in `compensation`.
    @inlinable
    public static func add(_ value: Double, to sum: inout Double, _ compensation: inout Double) {
        let total = sum + value
        if total.isInfinite {
            compensation = 0
        } else if sum.magnitude >= value.magnitude {
            compensation += (sum - total) + value
        } else {
            compensation += (value - total) + sum
        }
        sum = total
    }
}
