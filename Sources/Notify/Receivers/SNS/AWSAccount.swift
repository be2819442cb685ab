import Config
import GoCompatibility
import Glibc
import HTTP
import Model

/// Finds the keys and the region for requests to AWS: in the configuration, the environment, and the files of profiles.
package struct AWSAccount: Sendable {
    /// Returns a variable of the environment; nil if it is absent or empty.
    package typealias Environment = @Sendable (_ name: String) -> String?

    package struct Access: Sendable, Equatable {
        package var keys: AWSSignature.Keys
        package var region: String
    }

    private let config: SigV4Config
    private let variable: Environment

    package init(_ config: SigV4Config, _ environment: @escaping Environment = AWSAccount.environment) {
        self.config = config
        variable = environment
    }

    /// The environment of this process.
    package static let environment: Environment = { name in
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    package func found() async throws(AttemptFailure) -> Access {
        let keys = try await keys()
        let region: String
        if !config.region.isEmpty {
            region = config.region
        } else if let given = variable("AWS_REGION") ?? variable("AWS_DEFAULT_REGION") {
            region = given
        } else if let own = try await section(ofConfiguration: true)["region"] {
            region = own
        } else {
            throw AttemptFailure(.refused("sigv4 has no region, and neither has the environment or a profile"))
        }
        // The region becomes a part of the host's name.
        guard region.utf8.allSatisfy({ $0.isASCIILetterOrDigit || $0 == UInt8(ascii: "-") }) else {
            throw AttemptFailure(.refused("invalid region \(GoQuote.quote(region))"))
        }
        return Access(keys: keys, region: region)
    }

    private func keys() async throws(AttemptFailure) -> AWSSignature.Keys {
        if !config.accessKey.isEmpty {
            return AWSSignature.Keys(accessKey: config.accessKey, secretKey: config.secretKey)
        }
        if config.profile.isEmpty, let access = variable("AWS_ACCESS_KEY_ID"),
            let secret = variable("AWS_SECRET_ACCESS_KEY")
        {
            return AWSSignature.Keys(
                accessKey: access, secretKey: secret, sessionToken: variable("AWS_SESSION_TOKEN") ?? "")
        }
        for ofConfiguration in [false, true] {
            let section = try await section(ofConfiguration: ofConfiguration)
            if let access = section["aws_access_key_id"], let secret = section["aws_secret_access_key"] {
                return AWSSignature.Keys(
                    accessKey: access, secretKey: secret, sessionToken: section["aws_session_token"] ?? "")
            }
        }
        throw AttemptFailure(
            .refused("there are no keys for AWS in sigv4, in the environment, or in the files of profiles"))
    }

    /// The settings of the profile in one of the two files; none if the file is absent.
    private func section(ofConfiguration: Bool) async throws(AttemptFailure) -> AWSProfile {
        let name = config.profile.isEmpty ? variable("AWS_PROFILE") ?? "default" : config.profile
        let given = variable(ofConfiguration ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE")
        guard let path = given ?? variable("HOME").map({ "\($0)/.aws/\(ofConfiguration ? "config" : "credentials")" })
        else { return AWSProfile() }
        do throws(ConfigError) {
            guard try await ConfigFile.version(of: path) != nil else { return AWSProfile() }
            let text = String(decoding: try await ConfigFile.content(of: path), as: UTF8.self)
            return AWSProfile(text, named: ofConfiguration && name != "default" ? "profile \(name)" : name)
        } catch {
            throw AttemptFailure(.retry("unable to read \(path): \(error.message)"))
        }
    }
}

/// The settings of one section of a file of profiles.
struct AWSProfile {
    private var settings: [ExactText: String] = [:]

    init() {}

    /// Reads `[name]` sections with `key = value` lines; lines that begin with `#` or `;` are comments.
    init(_ text: String, named name: String) {
        var isWanted = false
        for line in text.split(whereSeparator: \.isNewline) {
            let line = Self.trimmed(line)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("[") {
                isWanted = Self.trimmed(line.dropFirst().prefix { $0 != "]" }).isExactly(name)
                continue
            }
            guard isWanted, let equals = line.firstIndex(of: "=") else { continue }
            settings[ExactText(Self.trimmed(line[..<equals]))] = Self.trimmed(line[line.index(after: equals)...])
        }
    }

    subscript(_ key: String) -> String? { settings[ExactText(key)].flatMap { $0.isEmpty ? nil : $0 } }

    private static func trimmed(_ text: some StringProtocol) -> String {
        SecretFile.trimmed(Array(text.utf8))
    }
}

extension UInt8 {
    fileprivate var isASCIILetterOrDigit: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
    }
}
