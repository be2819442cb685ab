import Model

/// The labels of a series, which are made on demand, and whether its name is removed at the end of the query.
struct Metric {
    private let own: Labels
    private let source: (any SeriesSet)?
    private let index: Int
    private var removal = Removal.nothing
    var dropsName = false

    /// The labels that are removed.
    private enum Removal {
        case nothing, name, metadata
    }

    init(_ labels: Labels, dropsName: Bool = false) {
        (own, source, index) = (labels, nil, 0)
        self.dropsName = dropsName
    }

    /// The metric of the series `index` of a set.
    init(_ set: any SeriesSet, _ index: Int) { (own, source, self.index) = (.empty, set, index) }

    /// The labels without the removed ones.
    var labels: Labels {
        switch removal {
        case .nothing: labelsWithMetadata
        case .name: labelsWithMetadata.withoutName
        case .metadata: labelsWithMetadata.withoutMetadata
        }
    }

    /// The labels with name, type and unit, even if these are removed; it is faster for callers that ignore these.
    var labelsWithMetadata: Labels { source?.labels(index) ?? own }

    /// Whether type and unit are removed.
    var lacksTypeAndUnit: Bool { removal == .metadata }

    /// A copy without the name; type and unit stay if they were not removed before.
    var withoutName: Metric {
        var result = self
        if result.removal == .nothing { result.removal = .name }
        return result
    }

    /// A copy without name, type and unit.
    var withoutMetadata: Metric {
        var result = self
        result.removal = .metadata
        return result
    }
}
