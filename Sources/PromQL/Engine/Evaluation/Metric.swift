import Model

/// The labels of a series, made only if somebody asks, and whether its name goes when the query is done.
struct Metric {
    private let own: Labels
    private let source: (any SeriesSet)?
    private let index: Int
    private var removal = Removal.nothing
    var dropsName = false

    /// What is taken out of the labels.
    private enum Removal {
        case nothing, name, metadata
    }

    init(_ labels: Labels, dropsName: Bool = false) {
        (own, source, index) = (labels, nil, 0)
        self.dropsName = dropsName
    }

    /// The series of a set.
    init(_ set: any SeriesSet, _ index: Int) { (own, source, self.index) = (.empty, set, index) }

    /// The labels.
    var labels: Labels {
        switch removal {
        case .nothing: labelsWithMetadata
        case .name: labelsWithMetadata.withoutName
        case .metadata: labelsWithMetadata.withoutMetadata
        }
    }

    /// The labels, with name, type and unit even if those are gone; cheaper where they do not matter.
    var labelsWithMetadata: Labels { source?.labels(index) ?? own }

    /// Whether type and unit are gone.
    var lacksTypeAndUnit: Bool { removal == .metadata }

    /// The same without a name, but with type and unit, if they are still there.
    var withoutName: Metric {
        var result = self
        if result.removal == .nothing { result.removal = .name }
        return result
    }

    /// The same without name, type and unit.
    var withoutMetadata: Metric {
        var result = self
        result.removal = .metadata
        return result
    }
}
