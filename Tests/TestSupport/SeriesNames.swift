import Model

/// Series whose names and values have every character that a notation must quote or escape.
public enum SeriesNames {
    /// A series with a name, whose labels have no empty values.
    public static func any(using random: inout SeededRandom) -> Labels {
        let parts = [
            "a", "Z", "_", "7", ":", ".", " ", "\"", "\\", "\n", "\t", "\r", "\u{0}", "\u{7F}", "\u{A0}", "é", "世", "😀",
            "e\u{301}", "\u{FEFF}", "{", "}", ",", "=", "#", "'", "`", "\\n",
        ]
        func text(_ random: inout SeededRandom) -> String {
            let isPlain = Bool.random(using: &random)
            return (0..<Int.random(in: 1...6, using: &random)).map { _ in
                (isPlain ? "abc" : parts.randomElement(using: &random)) ?? "a"
            }.joined()
        }
        var builder = LabelsBuilder()
        builder.set(Labels.nameLabel, text(&random))
        for _ in 0..<Int.random(in: 0...4, using: &random) { builder.set(text(&random), text(&random)) }
        return builder.labels()
    }
}
