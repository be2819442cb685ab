import Config
import GoCompatibility
import JSON
import Model

/// Reads target groups from JSON by the rules of Go's `encoding/json`: the case of field names is ignored, the last of
/// equal fields is used, null is the zero value, and an unknown field is an error.
///
/// Each target is counted before the next one is read, so the memory of a list is limited, whatever its text is.
enum TargetGroupJSON {
    /// - Parameters:
    ///   - place: The file or URL, for errors and sources.
    ///   - more: Further labels of all groups.
    ///   - cost: Charged for each part; nil for a list without limits.
    static func parse(
        _ bytes: [UInt8], place: String, more: [Label] = [], cost: TargetListCost? = nil
    ) throws(ConfigError) -> [TargetGroup] {
        var reader = JSONReader(bytes)
        var groups: [TargetGroup] = []
        do {
            if try reader.kind() == .null {
                try reader.null()
                try reader.end()
                return []
            }
            try expect(.array, &reader, "a list of target groups", "")
            try reader.array { reader in
                let index = groups.count
                do {
                    let config = try group(&reader, index, cost)
                    let group = TargetGroup(config, source: "\(place):\(index)", more: more)
                    try cost?.add(group)
                    groups.append(group)
                } catch let error as FieldError {
                    throw FieldError(message: error.isWhole ? error.message : "target group \(index): \(error.message)")
                }
            }
            try reader.end()
        } catch let error as FieldError {
            throw ConfigError(file: place, message: error.message)
        } catch {
            throw ConfigError(file: place, message: "\(error)")
        }
        return groups
    }

    private struct FieldError: Error {
        var message: String
        /// Whether the message says which group it is about.
        var isWhole = false
    }

    /// Checks the kind of the next value.
    private static func expect(
        _ kind: JSONKind, _ reader: inout JSONReader, _ wanted: String, _ field: String
    ) throws {
        let found = try reader.kind()
        guard found == kind else { throw FieldError(message: "\(field)expected \(wanted), got \(found.rawValue)") }
    }

    private static func group(
        _ reader: inout JSONReader, _ index: Int, _ cost: TargetListCost?
    ) throws -> TargetGroupConfig {
        if try reader.kind() == .null {
            throw FieldError(message: "nil target group item found (index \(index))", isWhole: true)
        }
        try expect(.object, &reader, "an object", "")
        var group = TargetGroupConfig(targets: [], labels: [])
        var slots: [String] = []
        try reader.object { name, reader in
            // Go folds the long s and the sign of kelvin, too.
            switch GoCase.lower(GoCase.upper(name)) {
            case "targets": group.targets = try targets(&reader, &slots, cost)
            case "labels": group.labels = try labels(&reader, cost)
            default: throw FieldError(message: "unknown field \(GoQuote.quote(name))")
            }
        }
        return group
    }

    /// Reads a list of targets.
    ///
    /// - Parameter slots: The targets of equal fields before this one, by their places. As in Go, a null is the target
    ///   that was at its place.
    private static func targets(
        _ reader: inout JSONReader, _ slots: inout [String], _ cost: TargetListCost?
    ) throws -> [String] {
        var targets: [String] = []
        if try reader.kind() == .null {
            try reader.null()
            slots = []
            return targets
        }
        try expect(.array, &reader, "a list", "targets: ")
        try reader.array { reader in
            let place = targets.count
            let target = try text(&reader, "targets: ", null: place < slots.count ? slots[place] : "")
            try cost?.add(target: target)
            targets.append(target)
        }
        slots = targets.isEmpty || slots.count <= targets.count ? targets : targets + slots[targets.count...]
        return targets
    }

    private static func labels(_ reader: inout JSONReader, _ cost: TargetListCost?) throws -> [Label] {
        var labels: [Label] = []
        if try reader.kind() == .null {
            try reader.null()
            return labels
        }
        try expect(.object, &reader, "an object", "labels: ")
        try reader.object { name, reader in
            if name.isEmpty { throw FieldError(message: "\"\" is not a valid label name") }
            let label = Label(name: name, value: try text(&reader, "label \(name): "))
            labels.append(label)
            try cost?.add(label, number: labels.count)
        }
        return labels
    }

    /// A string; null is `null`.
    private static func text(_ reader: inout JSONReader, _ field: String, null: String = "") throws -> String {
        if try reader.kind() == .null {
            try reader.null()
            return null
        }
        try expect(.string, &reader, "a string", field)
        return try reader.string()
    }
}
