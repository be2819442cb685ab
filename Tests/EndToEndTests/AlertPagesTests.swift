import Foundation
import JSON
import Platform
import Synchronization
import TestSupport
import Testing

/// The pages of a real daemon with a notifier, used in a real browser as people use them.
@Suite("Pages of alerts, silences and notifications", .enabled(if: Browser.isPossible, "needs chromium"))
struct AlertPagesTests {
    /// What a script in the browser has seen, by name; `error` if it stopped.
    ///
    /// The script is served below `/user`, so that it may look into the pages, which it opens in a frame.
    private func walk(_ script: String, _ folder: Folder, _ daemon: Daemon) throws -> JSONValue {
        let result = Mutex<[UInt8]>([])
        let isDone = TimedSemaphore(value: 0)
        let stub = HTTPStub { request in
            result.withLock { $0 = request.body }
            isDone.signal()
            return .init()
        }
        let seen = try #require(stub)
        defer { seen.stop() }
        let document = """
            <!doctype html><meta charset=utf-8><body><script type=module>
            const seen = {};
            try { \(Self.tools)\n\(script) } catch (error) {
              seen.error = `${error} in ${frame?.contentDocument?.querySelector("#page")?.textContent}`;
            }
            await fetch("http://127.0.0.1:\(seen.port)/", { method: "POST", mode: "no-cors", body: JSON.stringify(seen) });
            </script>
            """
        _ = try folder.write("assets/walk.html", document)
        let browser = try Browser("http://127.0.0.1:\(daemon.port)/user/walk.html")
        defer { withExtendedLifetime(browser) {} }
        #expect(isDone.wait(milliseconds: 120_000), "the browser does not answer")
        return try JSONValue.parse(result.withLock { $0 })
    }

    /// Functions of the scripts.
    private static let tools = #"""
        var frame = document.body.appendChild(document.createElement("iframe"));
        frame.style = "width: 1200px; height: 900px";
        const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
        const all = (selector) => [...(frame.contentDocument.querySelector("#page")?.querySelectorAll(selector) ?? [])];
        const text = () => frame.contentDocument.querySelector("#page")?.textContent ?? "";
        const address = () => frame.contentWindow.location.pathname + frame.contentWindow.location.search;
        async function until(what, find) {
          for (const end = Date.now() + 30000; Date.now() < end; await sleep(50)) {
            const found = find();
            if (found) return found;
          }
          throw new Error(`there is no ${what}`);
        }
        const open = (page) => new Promise((done) => ((frame.onload = done), (frame.src = page)));
        const press = async (word) => (await until(word, () => all("a, button").find((node) => node.textContent === word))).click();
        function fill(name, value) {
          const input = all(`[name=${name}]`)[0];
          input.value = value;
          input.dispatchEvent(new Event("input", { bubbles: true }));
        }
        """#

    private func start(_ folder: Folder, _ webhook: HTTPStub) throws -> Daemon {
        let rules = try folder.write(
            "rules.yml",
            """
            groups:
              - name: g
                interval: 200ms
                rules:
                  - {alert: Down, expr: vector(1), labels: {path: '<img src=x onerror="parent.hacked=1">'}}
            """)
        let config = try folder.write("martlet.yml", "rule_files: ['\(rules)']\n")
        let alerting = try folder.write(
            "alerting.yml",
            """
            route: {receiver: team, group_by: [path], group_wait: 100ms, group_interval: 1h}
            receivers:
              - name: team
                webhook_configs: [{url: 'http://127.0.0.1:\(webhook.port)/'}]
            """)
        try FileManager.default.createDirectory(
            at: folder.url.appendingPathComponent("assets"), withIntermediateDirectories: true)
        let port = LoopbackSocket.freePort()
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--alerting.config.file=\(alerting)",
                "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
                "--web.user-assets=\(folder.url.path)/assets",
            ], port: port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        #expect(
            Daemon.wait { daemon.probe.get("/api/v1/notifications/ledger")?.text.contains("delivered") ?? false },
            "\(daemon.logText)")
        return daemon
    }

    @Test("an alert gets a silence with a preview, is suppressed, and is active again after the end of the silence")
    func silence() throws {
        let folder = try Folder()
        let webhook = try #require(HTTPStub { _ in HTTPStub.Response(body: Array("<img src=x> thanks".utf8)) })
        defer { webhook.stop() }
        let daemon = try start(folder, webhook)
        let seen = try walk(
            #"""
            await open("/alerts");
            await press("Silence");
            await until("preview", () => /Hits 1 alert now.*Hit 1 alert of this server's rules in the last 30 days/.test(text()));
            seen.matchers = all(".matcher input").map((input) => input.value);
            fill("author", "Ada");
            fill("comment", "a <img src=x> comment");
            fill("end", "2020-01-01 00:00:00");
            await press("Create silence");
            seen.refusal = (await until("error", () => all("form .notice.bad")[0])).textContent;
            fill("duration", "10m");
            await press("Create silence");
            seen.row = (await until("silence", () => all("tr.chosen")[0])).textContent;
            const id = new URLSearchParams(frame.contentWindow.location.search).get("id");
            await open("/alert-groups");
            await until("suppressed alert", () => all("td .badge").some((node) => node.textContent === "suppressed"));
            await press("a <img src=x> comment");
            await until("silence", () => all("tr.chosen")[0]);
            seen.isLinked = address() === `/silences?id=${id}`;
            await press("Edit");
            await until("form", () => all("form")[0]);
            seen.author = all("[name=author]")[0].value;
            fill("comment", "later");
            seen.isWarned = text().includes("a new one begins");
            await press("Save");
            await until("change", () => all("tr.chosen")[0]?.textContent.includes("later"));
            seen.isSame = address() === `/silences?id=${id}`;
            await press("Expire");
            await press("Really expire?");
            await until("end", () => text().includes("expired (1)"));
            await open("/alert-groups");
            await until("active alert", () => all("td .badge").some((node) => node.textContent === "active"));
            seen.text = text();
            seen.images = all("img").length;
            seen.hacked = window.hacked ?? 0;
            """#, folder, daemon)
        #expect(seen["error"]?.string == nil)
        let path = #"<img src=x onerror="parent.hacked=1">"#
        #expect(seen["matchers"]?.array?.compactMap(\.string) == ["alertname", "Down", "path", path])
        #expect(seen["refusal"]?.string == "Failed to create silence: start time must be before end time")
        let row = seen["row"]?.string ?? ""
        #expect(row.contains("ends soon: ") && row.contains("a <img src=x> comment") && row.contains("Ada"))
        #expect(seen["isLinked"]?.bool == true && seen["isSame"]?.bool == true && seen["isWarned"]?.bool == false)
        #expect(seen["author"]?.string == "Ada")
        #expect(seen["text"]?.string?.contains("path=\"\(path)\"") == true)
        #expect(seen["images"]?.number == 0 && seen["hacked"]?.number == 0)
        #expect(daemon.terminate() == 0)
    }

    @Test("the ledger is searched by matcher, receiver and outcome, and an alert is explained")
    func notifications() throws {
        let folder = try Folder()
        let webhook = try #require(HTTPStub { _ in HTTPStub.Response(body: Array("<img src=x> thanks".utf8)) })
        defer { webhook.stop() }
        let daemon = try start(folder, webhook)
        let seen = try walk(
            #"""
            await open("/alert-groups");
            await press("Why");
            seen.steps = (await until("reason", () => text().includes("was notified at") && all(".steps")[0])).textContent;
            const row = () => all("tbody tr").find((row) => row.textContent.includes("team/webhook/0"));
            seen.row = (await until("delivery", row)).textContent;
            const none = () => text().includes("No notification matches.");
            fill("filter", 'alertname="Up"');
            await until("empty list", none);
            fill("filter", 'alertname="Down", path=~"<img.*"');
            await until("delivery", row);
            fill("outcome", "failed");
            await until("empty list", none);
            fill("outcome", "delivered");
            fill("receiver", "nobody");
            await until("empty list", none);
            fill("receiver", "team");
            await until("delivery", row);
            fill("filter", "x");
            seen.refusal = (await until("error", () => all(".notice.bad")[0])).textContent;
            seen.images = all("img").length;
            """#, folder, daemon)
        #expect(seen["error"]?.string == nil)
        #expect(seen["steps"]?.string?.contains("The rule Down of the group g is firing") == true)
        let row = seen["row"]?.string ?? ""
        #expect(row.contains("<img src=x> thanks") && row.contains("first notification") && row.contains("delivered"))
        #expect(row.contains("1 attempt · status 200"))
        #expect(seen["refusal"]?.string?.contains("bad matcher format: x") == true)
        #expect(seen["images"]?.number == 0)
        #expect(daemon.terminate() == 0)
    }
}
