import Model
import Platform

/// The inhibition rules with the alerts that fire, kept up to date: its work grows with the alerts that change.
struct KeptInhibitor: Sendable {
    private struct Known {
        var labels: Labels
        var endsAt: Int64
        var fires = false
        var uses: [Inhibitor.Use]
        /// The time at which ``ends`` has the alert.
        var queued: Int64?

        func fires(at now: Int64) -> Bool { endsAt == 0 || endsAt > now }
    }

    private var inhibitor: Inhibitor?
    private var known: [Fingerprint: Known] = [:]
    /// Alerts that fire, by a time before which they do not end.
    private var ends = DueHeap<Fingerprint>()
    /// Alerts that have ended, the last end first: they fire again if the clock is set back.
    private var ended = DueHeap<Fingerprint>()
    /// The number of times that all alerts were looked at.
    private(set) var builds = 0
    /// The number of alerts that were looked at and of rules that were compared with them.
    private(set) var work = 0
    /// A number of the set of alerts that fire: it grows with each change of the set.
    private(set) var changes = 0

    /// Takes the rules of another one; numbers are not used again.
    mutating func replace(by new: KeptInhibitor) {
        let last = max(changes, new.changes)
        self = new
        changes = last + 1
    }

    /// The inhibitor of the alerts that fire at `now`.
    ///
    /// The rules and the owner of `alerts` must be the same at each call.
    mutating func inhibitor(_ rules: [InhibitRule], _ alerts: inout ActiveAlerts, at now: Int64) -> Inhibitor {
        let changed = alerts.takeChanges()
        // It is taken out, so that it is not copied.
        var new: Inhibitor
        if let kept = inhibitor.take(), let changed {
            new = kept
            for fingerprint in changed { set(fingerprint, alerts.byFingerprint[fingerprint], &new, at: now) }
            advance(&new, to: now)
        } else {
            new = Inhibitor(rules: rules)
            builds += 1
            changes += 1
            (known, ends, ended) = ([:], DueHeap(), DueHeap())
            for alert in alerts.byFingerprint.values { set(alert.fingerprint, alert, &new, at: now) }
        }
        inhibitor = new
        return new
    }

    /// Notes an alert as it is now; nil if it was removed.
    private mutating func set(
        _ fingerprint: Fingerprint, _ alert: NotifiedAlert?, _ inhibitor: inout Inhibitor, at now: Int64
    ) {
        work += 1
        if let old = known[fingerprint], old.labels != alert?.alert.labels {
            if old.fires {
                inhibitor.remove(fingerprint, old.labels, old.uses)
                changes += 1
            }
            known[fingerprint] = nil
        }
        guard let alert = alert?.alert else { return }
        if known[fingerprint] == nil {
            let (uses, compared) = inhibitor.uses(of: alert.labels)
            work += compared
            known[fingerprint] = Known(labels: alert.labels, endsAt: alert.endsAt, uses: uses)
            limitQueues()
        }
        known[fingerprint]?.endsAt = alert.endsAt
        judge(fingerprint, &inhibitor, at: now)
    }

    /// Ends and begins what has ended at `now`, or has not if the clock was set back.
    private mutating func advance(_ inhibitor: inout Inhibitor, to now: Int64) {
        while let (_, fingerprint) = ends.pop(at: now) {
            known[fingerprint]?.queued = nil
            judge(fingerprint, &inhibitor, at: now)
        }
        // The complement reverses the order of times.
        while now < .max, let (_, fingerprint) = ended.pop(at: ~now - 1) {
            judge(fingerprint, &inhibitor, at: now)
        }
    }

    /// Adds an alert to the sources, or removes it, as it fires at `now` or not, and awaits the next change.
    private mutating func judge(_ fingerprint: Fingerprint, _ inhibitor: inout Inhibitor, at now: Int64) {
        guard let alert = known[fingerprint] else { return }
        work += 1
        let fires = alert.fires(at: now)
        if fires != alert.fires {
            changes += 1
            known[fingerprint]?.fires = fires
            if fires {
                inhibitor.add(fingerprint, alert.labels, alert.uses)
            } else {
                inhibitor.remove(fingerprint, alert.labels, alert.uses)
            }
        }
        if !fires {
            ended.insert(fingerprint, due: ~alert.endsAt)
        } else if alert.endsAt != 0, alert.queued.map({ $0 > alert.endsAt }) ?? true {
            ends.insert(fingerprint, due: alert.endsAt)
            known[fingerprint]?.queued = alert.endsAt
        }
        limitQueues()
    }

    /// Empties the queues of what is out of date if they are long.
    private mutating func limitQueues() {
        guard ends.count + ended.count > 4 * known.count + 1024 else { return }
        (ends, ended) = (DueHeap(), DueHeap())
        for (fingerprint, alert) in known {
            known[fingerprint]?.queued = alert.fires && alert.endsAt != 0 ? alert.endsAt : nil
            if !alert.fires {
                ended.insert(fingerprint, due: ~alert.endsAt)
            } else if alert.endsAt != 0 {
                ends.insert(fingerprint, due: alert.endsAt)
            }
        }
    }
}
