import Encoding

/// The messages of remote write, as Prometheus's `prompb` and `io.prometheus.write.v2` define them.
extension ProtobufFields {
    static var request: ProtobufFields { .any.with(1, .bytes).with(3, .bytes) }
    static var series: ProtobufFields { .any.with(1, .bytes).with(2, .bytes).with(3, .bytes).with(4, .bytes) }
    static var label: ProtobufFields { .any.with(1, .bytes).with(2, .bytes) }
    /// The sample message of both versions.
    static var sample: ProtobufFields { .any.with(1, .fixed64).with(2, .varint).with(3, .varint) }
    static var exemplar: ProtobufFields { .any.with(1, .bytes).with(2, .fixed64).with(3, .varint) }
    static var metadata: ProtobufFields { .any.with(1, .varint).with(2, .bytes).with(4, .bytes).with(5, .bytes) }
    /// The histogram message of both versions.
    static var histogram: ProtobufFields {
        .any
            .with(1, .varint).with(2, .fixed64).with(3, .fixed64).with(4, .varint).with(5, .fixed64).with(6, .varint)
            .with(7, .fixed64).with(8, .bytes).with(9, .varints).with(10, .fixed64s).with(11, .bytes)
            .with(12, .varints).with(13, .fixed64s).with(14, .varint).with(15, .varint).with(16, .fixed64s)
            .with(17, .varint)
    }
    static var span: ProtobufFields { .any.with(1, .varint).with(2, .varint) }

    static var requestV2: ProtobufFields { .any.with(4, .bytes).with(5, .bytes) }
    static var seriesV2: ProtobufFields {
        .any
            .with(1, .varints).with(2, .bytes).with(3, .bytes).with(4, .bytes).with(5, .bytes)
    }
    static var exemplarV2: ProtobufFields { .any.with(1, .varints).with(2, .fixed64).with(3, .varint) }
    static var metadataV2: ProtobufFields { .any.with(1, .varint).with(3, .varint).with(4, .varint) }
}
