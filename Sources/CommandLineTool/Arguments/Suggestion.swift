/// "Did you mean": the known word that a mistyped one is nearest to.
enum Suggestion {
    /// A text to append to a message; empty if nothing is near enough to be meant.
    static func text(for word: String, among known: [String]) -> String {
        guard let nearest = nearest(to: word, among: known) else { return "" }
        return "; did you mean '\(nearest)'?"
    }

    static func nearest(to word: String, among known: [String]) -> String? {
        let limit = max(1, min(3, word.count / 3))
        // Sorted, so that equal distances give the same answer each time.
        let best = known.sorted().map { (word: $0, distance: distance(word, $0)) }.min { $0.distance < $1.distance }
        if let best, best.distance <= limit { return best.word }
        return known.sorted().first { word.count >= 3 && $0.hasPrefix(word) }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that make one word of the other.
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.utf8), right = Array(right.utf8)
        guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for i in 1...left.count {
            var current = [i]
            for j in 1...right.count {
                let replaced = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1)
                var best = min(replaced, last[j] + 1, current[j - 1] + 1)
                if i > 1, j > 1, left[i - 1] == right[j - 2], left[i - 2] == right[j - 1] {
                    best = min(best, beforeLast[j - 2] + 1)
                }
                current.append(best)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
