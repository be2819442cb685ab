import Model
import Notify
import Testing

@Suite("Fingerprint")
struct FingerprintTests {
    @Test("is FNV-1a over names and values, as Alertmanager prints it")
    func known() {
        #expect(Fingerprint(.empty).description == "cbf29ce484222325")
        // As Alertmanager 0.25 shows them.
        #expect(Fingerprint(Labels([("alertname", "Down"), ("job", "x")])).description == "2a1d35904aadaa6d")
        #expect(
            Fingerprint(Labels([("a", "1"), ("alertname", "Do\"wn"), ("g", "x")])).description
                == "e9cad6bfee91877d")
    }

    @Test("does not depend on the order in which labels were given")
    func order() {
        #expect(Fingerprint(Labels([("a", "1"), ("b", "2")])) == Fingerprint(Labels([("b", "2"), ("a", "1")])))
        #expect(Fingerprint(Labels([("a", "1b")])) != Fingerprint(Labels([("a1", "b")])))
    }
}
