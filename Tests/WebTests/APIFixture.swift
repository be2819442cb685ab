import Foundation
import TestSupport

/// Answers of the HTTP API with texts of many lengths.
enum APIFixture {
    static func answer(_ request: HTTPStub.Request) -> HTTPStub.Response {
        let path = request.path.prefix { $0 != "?" }
        if path.hasPrefix("/api/v2/") {
            let name = path.dropFirst("/api/v2/".count)
            let text = name.hasPrefix("silence/") ? silence("active", minutes: 10) : notifier[String(name)]
            return .init(contentType: "application/json", text: text ?? "[]")
        }
        guard path.hasPrefix("/api/v1/") else { return .init(contentType: "text/plain", text: "ready\n") }
        let data = answers[String(path.dropFirst("/api/v1/".count))] ?? "[]"
        return .init(contentType: "application/json", text: #"{"status":"success","data":\#(data)}"#)
    }

    private static let labels = #"""
        {"instance":"127.0.0.1:25598","job":"node","team":"platform-observability",
        "description":"a rather long description of what this target is for",
        "arn":"arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/abcdefghijk/50dc6c495c0c9188"}
        """#

    private static let discovered = #"""
        {"__address__":"127.0.0.1:25598","__always_scrape_classic_histograms__":"false",
        "__convert_classic_histograms_to_nhcb__":"false","__metrics_path__":"/metrics","__scheme__":"http",
        "__scrape_interval__":"15s","__scrape_native_histograms__":"false","__scrape_timeout__":"10s","job":"node"}
        """#

    private static func target(_ url: String, _ error: String) -> String {
        #"""
        {"discoveredLabels":\#(discovered),"labels":\#(labels),"scrapePool":"node","scrapeUrl":"\#(url)",
        "globalUrl":"\#(url)","lastError":"\#(error)","lastScrape":"2026-01-31T12:00:00.123Z",
        "lastScrapeDuration":0.000369,"health":"\#(error.isEmpty ? "up" : "down")","scrapeInterval":"15s",
        "scrapeTimeout":"10s"}
        """#
    }

    private static let rules = #"""
        {"groups":[{"name":"host","file":"/etc/martlet/rules/host.yml","interval":15,"evaluationTime":0.00145,
        "lastEvaluation":"2026-01-31T12:00:00Z","rules":[{"type":"alerting","name":"TargetDown","state":"firing",
        "query":"max by (instance, job) (up{environment=\"production\", team=\"platform-observability\"}) == 0","duration":300,
        "keepFiringFor":600,"labels":{"severity":"page"},"annotations":{"summary":"{{ $labels.instance }} is down",
        "runbook_url":"https://wiki.example.org/runbooks/observability/targets/what_to_do_when_a_target_is_down"},
        "health":"err","lastError":"found duplicate series for the match group","evaluationTime":0.000236,
        "lastEvaluation":"2026-01-31T12:00:00Z","alerts":[{"labels":\#(labels),"annotations":{"summary":"it is down"},
        "state":"firing","activeAt":"2026-01-31T12:00:00.123Z","value":"1.2345678901234567e+00"}]},
        {"type":"recording","name":"instance_mountpoint:node_filesystem_utilisation:ratio","query":"up","health":"ok",
        "evaluationTime":0.0000621,"lastEvaluation":"2026-01-31T12:00:00Z"}]}]}
        """#

    private static func time(_ minutes: Double) -> String {
        Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(Date(timeIntervalSinceNow: minutes * 60))
    }

    /// A silence with texts of many lengths, which ends in some minutes.
    static func silence(_ state: String, minutes: Double) -> String {
        #"""
        {"id":"5a2b8a0e-8a55-4d5c-9f0e-3e4d7d4f4b11","status":{"state":"\#(state)"},"updatedAt":"\#(time(-60))",
        "comment":"the <b>larger</b> disk is ordered","createdBy":"somebody of platform-observability",
        "startsAt":"\#(time(minutes - 600))","endsAt":"\#(time(minutes))","matchers":[
        {"isEqual":true,"isRegex":false,"name":"alertname","value":"TargetDown"},
        {"isEqual":false,"isRegex":true,"name":"instance","value":"some-quite-long-host-name.eu-central-1.*:9100"}]}
        """#
    }

    private static func alert(_ fingerprint: String, _ status: String) -> String {
        #"""
        {"annotations":{"description":"it does not answer","summary":"it is down",
        "runbook_url":"https://wiki.example.org/runbooks/what_to_do"},
        "endsAt":"\#(time(4))","startsAt":"\#(time(-90))","updatedAt":"\#(time(0))",
        "fingerprint":"\#(fingerprint)","receivers":[{"name":"team"}],"status":\#(status),"labels":\#(labels)}
        """#
    }

    private static let active = #"{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}"#

    /// Answers of Alertmanager's API.
    private static let notifier = [
        "receivers": #"[{"name":"team"}]"#,
        "silences": #"""
        [\#(silence("active", minutes: 10)),\#(silence("pending", minutes: 700)),\#(silence("expired", minutes: -9))]
        """#,
        "alerts": "[\(alert("00000000000000ff", active))]",
        "alerts/groups": #"""
        [{"labels":\#(labels),"receiver":{"name":"platform-observability-receiver"},"routeLabels":{},"alerts":[
        \#(alert("0000000000000001", active)),
        \#(alert("0000000000000002", #"""
            {"inhibitedBy":["00000000000000ff"],"mutedBy":["outside-of-business-hours"],
            "silencedBy":["5a2b8a0e-8a55-4d5c-9f0e-3e4d7d4f4b11"],"state":"suppressed"}
            """#))]}]
        """#,
    ]

    private static let attempts = #"""
        [{"time":"2026-01-31T12:00:00.123Z","outcome":"failed","status":0,"latencySeconds":10,"answer":"",
        "error":"context deadline exceeded"},{"time":"2026-01-31T12:00:12.5Z","outcome":"accepted","status":200,
        "latencySeconds":0.0123,"answer":"thanks","error":""}]
        """#

    private static let groupKey =
        #"{}/{team=\"platform-observability\"}:{alertname=\"TargetDown\", instance=\"127.0.0.1:25598\"}"#

    private static let top =
        #"[{"name":"a_rather_long_name_of_a_metric_with_many_words_total","value":1234567},{"name":"up","value":3}]"#

    private static let answers = [
        "query": #"{"resultType":"vector","result":[{"metric":\#(labels),"value":[1769860800,"1234567.890625"]}]}"#,
        "query_range": #"""
        {"resultType":"matrix","result":[{"metric":\#(labels),"values":[[1769860800,"1"],[1769860815,"1234567.890625"]]}]}
        """#,
        "targets": #"""
        {"activeTargets":[\#(target("http://127.0.0.1:25598/metrics", "")),
        \#(target("http://some-quite-long-host-name.eu-central-1.compute.internal.example.org:9100/metrics", "connection refused"))],
        "droppedTargets":[{"discoveredLabels":\#(discovered),"scrapePool":"node"}],"droppedTargetCounts":{"node":1}}
        """#,
        "rules": rules,
        "labels": #"["alertname","alertstate","instance"]"#,
        "series": "[\(labels)]",
        "notifications/ledger": #"""
        {"deliveries":[{"time":"2026-01-31T12:00:00Z","receiver":"platform-observability-receiver","integration":
        "platform-observability-receiver/webhook/0","groupKey":"\#(groupKey)","reason":"first notification",
        "outcome":"delivered","status":200,"attempts":9,"durationSeconds":12.5,"error":"","firing":[],"firingCount":2,
        "resolved":[],"resolvedCount":1,"attemptLog":\#(attempts)}]}
        """#,
        "notifications/why": #"""
        {"alerts":[{"labels":\#(labels),"fingerprint":"00000000000000ff","state":"firing","startsAt":"2026-01-31T12:00:00Z",
        "history":[{"time":"2026-01-31T12:00:00Z","state":"silenced","groupKey":"\#(groupKey)","target":"",
        "causes":["5a2b8a0e-8a55-4d5c-9f0e-3e4d7d4f4b11"]}],"steps":[{"kind":"firing","sentence":"The alert fires."},
        {"kind":"silenced","silence":"5a2b8a0e-8a55-4d5c-9f0e-3e4d7d4f4b11","sentence":"It is silenced."}]}],"steps":[]}
        """#,
        "status/tsdb": #"""
        {"headStats":{"numSeries":1234567,"numLabelPairs":280,"chunkCount":670,"minTime":1769860800000,"maxTime":1769864400000},
        "seriesCountByMetricName":\#(top),"labelValueCountByLabelName":\#(top),"memoryInBytesByLabelName":\#(top),
        "seriesCountByLabelValuePair":\#(top)}
        """#,
        "status/runtimeinfo": #"""
        {"startTime":"2026-01-31T12:00:00Z","CWD":"/var/lib/martlet","hostname":"some-quite-long-host-name.example.org",
        "serverTime":"2026-01-31T12:00:00Z","reloadConfigSuccess":true,"lastConfigTime":"2026-01-31T12:00:00Z",
        "corruptionCount":0,"goroutineCount":0,"GOMAXPROCS":2,"GOMEMLIMIT":0,"GOGC":"","GODEBUG":"","storageRetention":"15d"}
        """#,
        "status/buildinfo": #"""
        {"version":"3.14.0+martlet.0.2.0","revision":"0123456789abcdef0123456789abcdef01234567","branch":"main",
        "buildUser":"somebody","buildDate":"20260131-12:00:00","goVersion":"swift6.3"}
        """#,
        "status/flags":
            #"{"web.listen-address":"0.0.0.0:9090","alertmanager.drain-notification-queue-on-shutdown":"true"}"#,
        "status/config": #"{"yaml":"global:\n  scrape_interval: 15s\n"}"#,
    ]
}
