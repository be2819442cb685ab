import Model

extension Evaluator {
    /// The labels of a series, made only if somebody asks, and whether its name goes when the query is done.
    struct Metric {
        private let own: Labels
        private let source: (any SeriesSet)?
        private let index: Int
        private var isNameless = false
        var dropsName = false

        init(_ labels: Labels, dropsName: Bool = false) {
            (own, source, index) = (labels, nil, 0)
            self.dropsName = dropsName
        }

        /// The series of a set.
        init(_ set: any SeriesSet, _ index: Int) { (own, source, self.index) = (.empty, set, index) }

        /// The labels.
        var labels: Labels { isNameless ? labelsWithName.withoutName : labelsWithName }

        /// The labels, with the name even if that is gone; cheaper where the name does not matter.
        var labelsWithName: Labels { source?.labels(index) ?? own }

        /// The same without a name.
        var withoutName: Metric {
            var result = self
            result.isNameless = true
            return result
        }
    }
}
