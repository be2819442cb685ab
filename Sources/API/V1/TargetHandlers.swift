import GoCompatibility
import HTTP
import JSON
import Model
import Scrape

/// `targets`, `scrape_pools`, `alertmanagers`.
struct TargetHandlers: Sendable {
    let context: APIContext
    let overviews: QueryAdmission

    func targets(_ request: HTTPRequest) throws -> HTTPResponse {
        let state = GoCase.lower(request.parameter("state") ?? "")
        let pool = request.parameter("scrapePool") ?? ""
        let showsActive = ["", "any", "active"].contains(state)
        let showsDropped = ["", "any", "dropped"].contains(state)
        return try context.answer(request, overviews, .overview) { answer in
            let active =
                showsActive ? (context.scrape?.targets() ?? []).filter { pool.isEmpty || $0.pool.isExactly(pool) } : []
            let dropped = context.scrape?.droppedTargets()
            let shown = (showsDropped ? dropped?.targets ?? [] : []).lazy.filter {
                pool.isEmpty || $0.pool.isExactly(pool)
            }
            return try Envelope.success(capacity: 4096) { writer in
                try writer.object { writer in
                    writer.key("activeTargets")
                    try writer.array(active, answer) { target, writer in write(target, &writer) }
                    writer.key("droppedTargets")
                    try writer.array(shown, answer) { target, writer in
                        writer.object { writer in
                            writer.key("discoveredLabels")
                            ResultWriter.labels(target.discoveredLabels, &writer)
                            writer.key("scrapePool")
                            writer.string(target.pool)
                        }
                    }
                    writer.key("droppedTargetCounts")
                    guard showsDropped else { return writer.null() }
                    writer.object { writer in
                        for (name, count) in (dropped?.counts ?? [:]).sorted(by: { $0.key < $1.key }) {
                            writer.key(name.text)
                            writer.integer(count)
                        }
                    }
                }
            }
        }
    }

    private func write(_ target: TargetStatus, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("discoveredLabels")
            ResultWriter.labels(target.discoveredLabels, &writer)
            writer.key("labels")
            ResultWriter.labels(target.labels, &writer)
            let texts = [
                ("scrapePool", target.pool), ("scrapeUrl", target.url),
                ("globalUrl", context.settings.publicAddress.globalURL(target.url)),
                ("lastError", target.lastError),
                ("lastScrape", target.lastScrape == 0 ? "0001-01-01T00:00:00Z" : RFC3339.text(target.lastScrape)),
            ]
            for (key, text) in texts {
                writer.key(key)
                writer.string(text)
            }
            writer.key("lastScrapeDuration")
            writer.number(target.lastScrapeDuration)
            writer.key("health")
            writer.string("\(target.health)")
            writer.key("scrapeInterval")
            writer.string(DurationText.format(target.interval))
            writer.key("scrapeTimeout")
            writer.string(DurationText.format(target.timeout))
        }
    }

    func pools(_ request: HTTPRequest) throws -> HTTPResponse {
        try context.answer(request, overviews, .overview) { answer in
            try Envelope.success { writer in
                try writer.object { writer in
                    writer.key("scrapePools")
                    try writer.array(context.scrape?.pools() ?? [], answer) { pool, writer in writer.string(pool) }
                }
            }
        }
    }

    func alertmanagers(_ request: HTTPRequest) throws -> HTTPResponse {
        try context.answer(request, overviews, .overview) { answer in
            try Envelope.success { writer in
                try writer.object { writer in
                    for (key, urls) in [
                        ("activeAlertmanagers", context.alertmanagers?.activeURLs()),
                        ("droppedAlertmanagers", context.alertmanagers?.droppedURLs()),
                    ] {
                        writer.key(key)
                        try writer.array(urls ?? [], answer) { url, writer in
                            writer.object { writer in
                                writer.key("url")
                                writer.string(url)
                            }
                        }
                    }
                }
            }
        }
    }
}
