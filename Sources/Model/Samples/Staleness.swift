/// The stale marker, which ends a series: a NaN with its own payload.
public enum Staleness {
    /// The bit pattern of the marker, the same as in Prometheus.
    @inlinable public static var bits: UInt64 { 0x7FF0_0000_0000_0002 }

    /// The marker as a value.
    @inlinable
    public static var marker: Double { Double(bitPattern: bits) }

    /// Whether `value` is the marker and not another NaN.
    @inlinable @inline(__always)
    public static func isMarker(_ value: Double) -> Bool { value.bitPattern == bits }
}
