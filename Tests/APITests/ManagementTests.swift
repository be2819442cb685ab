import API
import HTTP
import Model
import Platform
import Rules
import Synchronization
import Testing

/// What management and the status pages make of the daemon and the store.
@Suite("Management")
struct ManagementTests {
    private func ask(_ context: APIContext, _ method: String, _ path: String) -> (status: Int, text: String) {
        let response = context.router.handle(HTTPRequest(method: method, path: path))
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    @Test("the daemon is ready when it serves and the store takes samples, and says what answers lack")
    func readiness() {
        let (store, path) = (ArrayStore(), "/-/ready")
        let ready = ask(.test(store), "GET", path)
        #expect(ready.status == 200 && ready.text == "Prometheus Server is Ready.\n")
        let lacking = ask(.test(store, store: StoreStub(missingParts: ["block 1"])), "GET", path)
        #expect(lacking.status == 200 && lacking.text.hasSuffix("Warning: block 1.\n"))
        let full = ask(.test(store, store: StoreStub(unhealthyReason: "no room")), "GET", path)
        #expect(full.status == 503 && full.text == "Service Unavailable: no room\n")
        let starting = ask(.test(store, control: DaemonStub(unreadyReason: "starting up")), "GET", path)
        #expect(starting.status == 503 && starting.text == "Service Unavailable: starting up\n")
    }

    @Test("queries are refused while the daemon is not ready, and the header says whether it ends")
    func unready() {
        for isStopping in [false, true] {
            let control = DaemonStub(unreadyReason: "starting up", isStopping: isStopping)
            let router = APIContext.test(ArrayStore(), control: control).router
            let response = router.handle(HTTPRequest(method: "GET", path: "/api/v1/status/buildinfo"))
            #expect(response.status == 503)
            #expect(response.headers.first { $0.name == "X-Prometheus-Stopping" }?.value == "\(isStopping)")
            let replay = router.handle(HTTPRequest(method: "GET", path: "/api/v1/status/walreplay"))
            #expect(replay.status == 200)
        }
    }

    @Test("a change that the store refuses because the daemon ends may be asked of another server")
    func changesAtTheEnd() {
        for isStopping in [false, true] {
            for path in ["snapshot", "delete_series", "clean_tombstones"] {
                var context = APIContext.test(
                    ArrayStore(), store: StoreStub(failure: StoreUnavailable()),
                    control: DaemonStub(isStopping: isStopping))
                context.settings.enablesAdmin = true
                let request = HTTPRequest(
                    method: "POST", path: "/api/v1/admin/tsdb/" + path, query: [(name: "match[]", value: "m")])
                let response = context.router.handle(request)
                #expect(response.status == (isStopping ? 503 : 500), "\(path)")
                #expect(
                    String(decoding: response.body, as: UTF8.self).contains(isStopping ? "unavailable" : "internal"))
            }
        }
    }

    private struct StoreUnavailable: Error {}

    @Test("a refused sample of a series without samples has no newest one")
    func rejectedSamples() {
        func text(_ newest: (Int64, Double)?) -> String {
            let sample = RejectedSample(
                labels: Labels([("__name__", "a")]), job: "j", reason: .outOfBounds, time: 0, value: 1,
                newestTime: newest?.0, newestValue: newest?.1)
            let context = APIContext.test(ArrayStore(), store: StoreStub(lastRejected: [sample]))
            return ask(context, "GET", "/api/v1/status/rejected_samples").text
        }
        #expect(text((1000, 2)).contains(#""newestTime":"1970-01-01T00:00:01Z","newestValue":"2""#))
        #expect(text(nil).contains(#""value":"1""#) && !text(nil).contains("newest"))
    }

    @Test("reload and quit need the lifecycle flag, and reload says why it failed")
    func lifecycle() {
        let count = QuitCount()
        var context = APIContext.test(
            ArrayStore(), control: DaemonStub(reloadFailure: "line 1", onQuit: { count.add() }))
        for path in ["/-/reload", "/-/quit"] { #expect(ask(context, "POST", path).status == 403) }
        #expect(count.value == 0)
        context.settings.enablesLifecycle = true
        let reload = ask(context, "POST", "/-/reload")
        #expect(reload.status == 500 && reload.text == "failed to reload config: line 1\n")
        #expect(ask(context, "GET", "/-/reload").status == 405)
        #expect(ask(context, "POST", "/-/quit").status == 200)
        #expect(count.value == 1)
    }

    @Test("the status pages show the configuration, the retention and a failed reload")
    func status() {
        let control = DaemonStub(configurationText: "global: {a: 1}\n", lastReload: (false, 0))
        let context = APIContext.test(ArrayStore(), store: StoreStub(retentionText: "3d or 1GiB"), control: control)
        #expect(ask(context, "GET", "/api/v1/status/config").text.contains("global: {a: 1}"))
        #expect(ask(context, "GET", "/api/v1/status/runtimeinfo").text.contains("3d or 1GiB"))
        #expect(
            ask(context, "GET", "/api/v1/notifications").text.contains("Configuration reload has failed."))
    }
}

private final class QuitCount: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}
