import Config
import Model

/// Reads `[{"targets": […], "labels": {…}}, …]`, the format of files and web servers.
enum TargetGroupList {
    /// - Parameters:
    ///   - place: The file or URL, for errors and sources.
    ///   - labels: Further labels of all groups.
    ///   - cost: Charged for each part; nil for a list without limits. Only a JSON list may have limits.
    static func parse(
        _ bytes: [UInt8], isJSON: Bool, place: String, labels: [Label], cost: TargetListCost? = nil
    ) throws(ConfigError) -> [TargetGroup] {
        if isJSON {
            return try TargetGroupJSON.parse(bytes, place: place, more: labels, cost: cost)
        }
        guard let root = try YAMLParser.parse(bytes, file: place), !root.isNull else { return [] }
        guard let elements = root.elements else { throw root.place.error("expected a list of target groups") }
        var groups: [TargetGroup] = []
        for (index, node) in elements.enumerated() {
            if node.isNull { throw node.place.error("nil target group item found (index \(index))") }
            let config = try TargetGroupConfig(node)
            groups.append(TargetGroup(config, source: "\(place):\(index)", more: labels))
        }
        return groups
    }
}
