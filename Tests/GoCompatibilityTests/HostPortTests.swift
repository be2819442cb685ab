import GoCompatibility
import Testing

@Suite("Hosts and ports")
struct HostPortTests {
    @Test(
        "host and port are taken apart as by Go's net.SplitHostPort",
        arguments: [
            ("a:80", "a|80"), ("a.b:", "a.b|"), (":80", "|80"), (":", "|"), ("[::1]:80", "::1|80"),
            ("[fe80::1%eth0]:80", "fe80::1%eth0|80"), ("[]:1", "|1"), ("", nil), ("a", nil), ("a:b:1", nil),
            ("a.b::", nil), ("[::1]", nil), ("[::1]x:1", nil), ("[::1]:8:9", nil), ("a]:1", nil), ("[a:1", nil),
            ("a:[1", nil), ("[a[]:1", nil), ("[a]]:1", nil), ("[a]:]1", nil), ("::1", nil),
        ] as [(String, String?)])
    func split(_ text: String, _ parts: String?) {
        #expect(GoURL.splitHostPort(text).map { "\($0.host)|\($0.port)" } == parts)
    }

    @Test("addresses are those of Go's net.ParseIP")
    func addresses() {
        for text in ["1.2.3.4", "0.0.0.0", "::", "::1", "fe80::1", "::ffff:1.2.3.4", "CAFE::beef"] {
            #expect(GoURL.isAddress(text), "\(text)")
        }
        for text in [
            "", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", "a.b", "a.b:80:90", "cafe.beef:1:2", "fe80::1%eth0",
            ":::",
            "[::1]", "1::2::3", "::1\0",
        ] { #expect(!GoURL.isAddress(text), "\(text)") }
    }
}
