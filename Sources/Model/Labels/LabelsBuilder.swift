/// Collects changes to a label set and makes the new set.
public struct LabelsBuilder: Sendable {
    /// The labels sorted by name, bytewise; values are not empty.
    private var labels_: [Label]

    public init(_ base: Labels = .empty) {
        labels_ = base.pairs
    }

    private func position(_ name: String) -> (Int, Bool) {
        var (low, high) = (0, labels_.count)
        while low < high {
            let middle = (low + high) / 2
            if Self.isBefore(labels_[middle].name, name) { low = middle + 1 } else { high = middle }
        }
        return (low, low < labels_.count && Labels.isSame(labels_[low].name, name))
    }

    /// The bytewise order of strings; Swift's own `<` on `String` compares canonical equivalents.
    static func isBefore(_ a: String, _ b: String) -> Bool { a.isExactlyBefore(b) }

    /// The value of `name`, or an empty string.
    public func get(_ name: String) -> String {
        let (at, found) = position(name)
        return found ? labels_[at].value : ""
    }

    /// Sets `name` to `value`; an empty value removes the label.
    public mutating func set(_ name: String, _ value: String) {
        let (at, found) = position(name)
        if value.isEmpty {
            if found { labels_.remove(at: at) }
        } else if found {
            labels_[at].value = value
        } else {
            labels_.insert(Label(name: name, value: value), at: at)
        }
    }

    /// Sets labels in order, in linear time and one sort, however many there are.
    public mutating func set(_ labels: [Label]) {
        // Most sets are so small that this is the fastest.
        if labels.count < 16 {
            for label in labels { set(label.name, label.value) }
            return
        }
        let order = labels.enumerated().sorted { a, b in
            Self.isBefore(a.element.name, b.element.name)
                || Labels.isSame(a.element.name, b.element.name) && a.offset < b.offset
        }
        var merged: [Label] = []
        merged.reserveCapacity(labels_.count + labels.count)
        var at = 0
        for (index, (_, label)) in order.enumerated() {
            // The last of several with the same name counts.
            if index + 1 < order.count, Labels.isSame(order[index + 1].element.name, label.name) { continue }
            while at < labels_.count, Self.isBefore(labels_[at].name, label.name) {
                merged.append(labels_[at])
                at += 1
            }
            if at < labels_.count, Labels.isSame(labels_[at].name, label.name) { at += 1 }
            if !label.value.isEmpty { merged.append(label) }
        }
        labels_ = merged + labels_[at...]
    }

    public mutating func remove(_ name: String) { set(name, "") }

    /// Removes all labels with a name for which `isRemoved` is true, in linear time.
    public mutating func removeAll(where isRemoved: (String) -> Bool) { labels_.removeAll { isRemoved($0.name) } }

    /// The current labels, sorted by name.
    public var current: [Label] { labels_ }

    /// The resulting set.
    public func labels() -> Labels {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(labels_.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 2 })
        for label in labels_ {
            Labels.appendRun(label.name.utf8, to: &bytes)
            Labels.appendRun(label.value.utf8, to: &bytes)
        }
        return Labels(packed: bytes)
    }
}
