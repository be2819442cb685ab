import Model

/// The signature of requests to AWS.
package struct SigV4Config: Sendable, Hashable {
    @Exact package var region = ""
    @Exact package var accessKey = ""
    @Exact package var secretKey = ""
    @Exact package var profile = ""
    @Exact package var roleARN = ""
    @Exact package var externalID = ""
    package var useFIPSEndpoint = false
    @Exact package var serviceName = ""

    package init() {}

    init(_ reader: MappingReader) throws(ConfigError) {
        region = try reader.string("region", "")
        accessKey = try reader.string("access_key", "")
        secretKey = try reader.string("secret_key", "")
        profile = try reader.string("profile", "")
        roleARN = try reader.string("role_arn", "")
        externalID = try reader.string("external_id", "")
        useFIPSEndpoint = try reader.bool("use_fips_sts_endpoint", false)
        serviceName = try reader.string("service_name", "")
        reader.finish()
    }
}
