import Encoding

/// The messages of remote write, as Prometheus's `prompb` and `io.prometheus.write.v2` define them.
extension ProtobufFields {
    static let request = ProtobufFields([1: .bytes, 3: .bytes])
    static let series = ProtobufFields([1: .bytes, 2: .bytes, 3: .bytes, 4: .bytes])
    static let label = ProtobufFields([1: .bytes, 2: .bytes])
    /// The sample message of both versions.
    static let sample = ProtobufFields([1: .fixed64, 2: .varint, 3: .varint])
    static let exemplar = ProtobufFields([1: .bytes, 2: .fixed64, 3: .varint])
    static let metadata = ProtobufFields([1: .varint, 2: .bytes, 4: .bytes, 5: .bytes])
    /// The histogram message of both versions.
    static let histogram = ProtobufFields([
        1: .varint, 2: .fixed64, 3: .fixed64, 4: .varint, 5: .fixed64, 6: .varint, 7: .fixed64, 8: .bytes,
        9: .varints, 10: .fixed64s, 11: .bytes, 12: .varints, 13: .fixed64s, 14: .varint, 15: .varint,
        16: .fixed64s, 17: .varint,
    ])
    static let span = ProtobufFields([1: .varint, 2: .varint])

    static let requestV2 = ProtobufFields([4: .bytes, 5: .bytes])
    static let seriesV2 = ProtobufFields([1: .varints, 2: .bytes, 3: .bytes, 4: .bytes, 5: .bytes])
    static let exemplarV2 = ProtobufFields([1: .varints, 2: .fixed64, 3: .varint])
    static let metadataV2 = ProtobufFields([1: .varint, 3: .varint, 4: .varint])
}
