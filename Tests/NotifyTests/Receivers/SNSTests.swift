import Config
import Foundation
import HTTP
import Model
import TestSupport
import Testing

@testable import Notify

@Suite("SNS")
struct SNSTests {
    private static let sigV4 = "sigv4: {region: us-east-1, access_key: A, secret_key: SECRETKEY}"

    private static func integration(
        _ entry: String, _ transport: RecordingReceiver, environment: [String: String] = [:]
    ) throws -> SNSIntegration {
        let config = try #require(try ReceiverCases.config("sns", entry).snses.first)
        return SNSIntegration(config, transport, environment: { environment[$0] })
    }

    /// The parameters of the only request.
    private static func form(_ transport: RecordingReceiver) -> [String: String] {
        let body = transport.bodies.first ?? ""
        let pairs = body.split(separator: "&").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        return Dictionary(
            uniqueKeysWithValues: pairs.map {
                ($0[0], ($0.count > 1 ? $0[1] : "").replacing("+", with: " ").removingPercentEncoding ?? "")
            })
    }

    @Test("a message has all configured keys and a signature")
    func message() async throws {
        let transport = RecordingReceiver()
        let integration = try Self.integration(
            "{\(Self.sigV4), topic_arn: 'arn:t', subject: S, message: 'm {{ .Status }}', attributes: {z: 1, k: v}}",
            transport)
        #expect(try await ReceiverCases.attempt(integration, ReceiverCases.message()) == .accepted)
        #expect(transport.calls == ["POST https://sns.us-east-1.amazonaws.com/"])
        #expect(
            transport.bodies == [
                "Action=Publish&Message=m+firing&MessageAttributes.entry.1.Name=k"
                    + "&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=v"
                    + "&MessageAttributes.entry.2.Name=z&MessageAttributes.entry.2.Value.DataType=String"
                    + "&MessageAttributes.entry.2.Value.StringValue=1&Subject=S&TopicArn=arn%3At&Version=2010-03-31"
            ])
        let headers = try #require(transport.requests.first?.headers)
        #expect(headers.contains { $0 == ("Content-Type", "application/x-www-form-urlencoded") })
        #expect(headers.contains { $0 == ("X-Amz-Date", "20261129T095213Z") })
        let authorization = headers.first { $0.name == "Authorization" }?.value
        #expect(
            authorization?.hasPrefix("AWS4-HMAC-SHA256 Credential=A/20261129/us-east-1/sns/aws4_request, ") == true)
    }

    @Test("a message goes to a telephone or a target, and to a topic in order")
    func targets() async throws {
        for (entry, expected) in [
            ("phone_number: '+1 2'", ["PhoneNumber": "+1 2"]), ("target_arn: 'arn:e'", ["TargetArn": "arn:e"]),
            (
                "topic_arn: 'arn:t.fifo'",
                [
                    "TopicArn": "arn:t.fifo", "MessageGroupId": ReceiverCases.hash,
                    "MessageDeduplicationId": ReceiverCases.hash,
                ]
            ),
        ] {
            let transport = RecordingReceiver()
            let integration = try Self.integration(
                "{\(Self.sigV4), api_url: 'http://sns/p', \(entry), subject: '{{ .CommonLabels.none }}', message: M}",
                transport)
            #expect(try await ReceiverCases.attempt(integration, ReceiverCases.message()) == .accepted)
            #expect(transport.calls == ["POST http://sns/p"])
            let usual = ["Action": "Publish", "Version": "2010-03-31", "Message": "M"]
            #expect(Self.form(transport) == expected.merging(usual) { $1 })
        }
    }

    @Test("a long message is cut at a character, with an attribute that says so")
    func limits() async throws {
        for (target, limit) in [("topic_arn: t", 262_144), ("phone_number: p", 1600)] {
            let transport = RecordingReceiver()
            let integration = try Self.integration(
                "{\(Self.sigV4), \(target), subject: '', message: '\(String(repeating: "é", count: limit))', attributes: {z: v}}",
                transport)
            _ = try await ReceiverCases.attempt(integration, ReceiverCases.message())
            let form = Self.form(transport)
            let message = try #require(form["Message"])
            #expect((limit - 3...limit).contains(message.utf8.count))
            #expect(message.hasSuffix("é…"))
            #expect(form["MessageAttributes.entry.1.Name"] == "truncated")
            #expect(form["MessageAttributes.entry.1.Value.StringValue"] == "true")
            #expect(form["MessageAttributes.entry.2.Name"] == "z")
        }
    }

    @Test("keys and region are those of the environment or a profile if the configuration has none")
    func accounts() async throws {
        let folder = try TemporaryFolder()
        let (credentials, config) = (folder.path + "/credentials", folder.path + "/config")
        try """
        # a comment
        [default]
        aws_access_key_id = DA
        aws_secret_access_key=DS
        [ other ]
        aws_access_key_id = OA
        aws_secret_access_key = OS
        aws_session_token = OT
        """.write(toFile: credentials, atomically: true, encoding: .utf8)
        try "[default]\nregion = eu-d\n[profile other]\nregion=eu-o\n[profile bare]\nregion=\n"
            .write(toFile: config, atomically: true, encoding: .utf8)
        let files = ["AWS_SHARED_CREDENTIALS_FILE": credentials, "AWS_CONFIG_FILE": config]
        let keys = ["AWS_ACCESS_KEY_ID": "EA", "AWS_SECRET_ACCESS_KEY": "ES", "AWS_REGION": "eu-e"]
        func access(_ sigV4: String, _ environment: [String: String]) async throws -> String {
            let entry = try #require(
                try ReceiverCases.config("sns", "{sigv4: {\(sigV4)}, topic_arn: t}").snses.first)
            do throws(AttemptFailure) {
                let access = try await AWSAccount(entry.sigV4) { environment[$0] }.found()
                let keys = access.keys
                return "\(keys.accessKey) \(keys.secretKey) \(keys.sessionToken) \(access.region)"
            } catch {
                return "\(error.verdict)"
            }
        }
        #expect(try await access("region: r, access_key: A, secret_key: B", keys) == "A B  r")
        #expect(try await access("", keys.merging(files) { $1 }) == "EA ES  eu-e")
        #expect(try await access("", files) == "DA DS  eu-d")
        #expect(try await access("profile: other", keys.merging(files) { $1 }) == "OA OS OT eu-e")
        #expect(try await access("profile: other", files) == "OA OS OT eu-o")
        #expect(try await access("", files.merging(["AWS_PROFILE": "other"]) { $1 }) == "OA OS OT eu-o")
        #expect(try await access("profile: none", files).contains("there are no keys for AWS"))
        #expect(try await access("access_key: A, secret_key: B", ["HOME": folder.path]).contains("no region"))
        #expect(try await access("region: 'r/@evil', access_key: A, secret_key: B", [:]).contains("invalid region"))
    }

    @Test("errors of the server and no answer are retried, others are not; none shows the key")
    func failures() async throws {
        func verdict(_ transport: RecordingReceiver) async throws -> Verdict {
            let entry = "{\(Self.sigV4), topic_arn: t, subject: S, message: M}"
            return try await ReceiverCases.attempt(Self.integration(entry, transport), ReceiverCases.message())
        }
        #expect(try await verdict(RecordingReceiver(status: 500)) == .retry("unexpected status code 500"))
        #expect(try await verdict(RecordingReceiver(status: 429)) == .refused("unexpected status code 429"))
        #expect(
            try await verdict(RecordingReceiver(status: 403, "SECRETKEY"))
                == .refused("unexpected status code 403: <redacted>"))
        #expect(try await verdict(RecordingReceiver { _ in nil }) == .retry("no route to host"))
    }

    @Test("a role is refused when the configuration is loaded, with its place")
    func role() throws {
        let text = """
            route: {receiver: r}
            receivers:
            - name: r
              sns_configs:
              - topic_arn: t
                sigv4: {region: r, role_arn: 'arn:r'}
            """
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        #expect(config.unsupported.map(\.line) == [6])
        #expect(config.unsupported.first?.message.contains("role_arn") == true)
    }
}
