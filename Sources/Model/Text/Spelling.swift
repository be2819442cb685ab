/// Finds the probable meaning of a misspelt word.
public enum Spelling {
    /// The most similar word, with a distance of at most three bytes and less than half of the text; nil if there is
    /// none.
    public static func nearest(to text: String, among words: [String]) -> String? {
        let near = words.map { ($0, distance($0, text)) }.min { $0.1 < $1.1 }
        guard let near, near.1 <= 3, near.1 * 2 <= text.utf8.count else { return nil }
        return near.0
    }

    /// Levenshtein's edit distance over bytes.
    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8.prefix(128)), Array(b.utf8.prefix(128)))
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let change = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(change, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
