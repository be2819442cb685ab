/// The places of long handlers, shared by the clients.
///
/// A handler may wait for something else while it has a place. Therefore one client has all but a quarter of the places
/// at most, so that a request of a second client finds one at once. Clients that wait take turns.
struct LongPlaces<Job> {
    let most: Int
    /// The most places of one client.
    let share: Int
    private var held: [String: Int] = [:]
    private(set) var used = 0
    private var waiting: [String: [Job]] = [:]
    /// The clients that wait, the next one first.
    private var order: [String] = []

    init(most: Int) {
        self.most = max(1, most)
        share = max(1, self.most - max(1, self.most / 4))
    }

    private func isFree(for client: String) -> Bool { used < most && held[client, default: 0] < share }

    /// Acquires a place; if none is free for the client, returns false and keeps `job` until there is one.
    mutating func take(for client: String, orLater job: Job) -> Bool {
        if isFree(for: client) {
            held[client, default: 0] += 1
            used += 1
            return true
        }
        if waiting[client] == nil { order.append(client) }
        waiting[client, default: []].append(job)
        return false
    }

    /// Releases a place of a client; returns the job that has it now, if one waits.
    mutating func leave(_ client: String) -> Job? {
        used -= 1
        let rest = held[client, default: 1] - 1
        held[client] = rest > 0 ? rest : nil
        guard let place = order.firstIndex(where: { isFree(for: $0) }) else { return nil }
        let next = order.remove(at: place)
        guard var jobs = waiting.removeValue(forKey: next), !jobs.isEmpty else { return nil }
        let job = jobs.removeFirst()
        if !jobs.isEmpty {
            waiting[next] = jobs
            order.append(next)
        }
        held[next, default: 0] += 1
        used += 1
        return job
    }
}
