import JSON

/// One thing that was measured.
struct Figure: Sendable {
    enum Goal: Sendable {
        case atMost(Double)
        case atLeast(Double)

        var text: String {
            switch self {
            case .atMost(let value): "≤ \(Figure.shown(value))"
            case .atLeast(let value): "≥ \(Figure.shown(value))"
            }
        }

        func isReached(by value: Double) -> Bool {
            switch self {
            case .atMost(let most): value <= most
            case .atLeast(let least): value >= least
            }
        }
    }

    var part: Part
    var name: String
    var value: Double
    var unit: String
    var goal: Goal?
    /// The physical limit in the same unit.
    var limit: Double?

    init(_ part: Part, _ name: String, _ value: Double, _ unit: String, _ goal: Goal? = nil, limit: Double? = nil) {
        self.part = part
        self.name = name
        self.value = value
        self.unit = unit
        self.goal = goal
        self.limit = limit
    }

    /// Three digits that count.
    static func shown(_ value: Double) -> String {
        let size = value.magnitude
        if size >= 100 || value == value.rounded() { return grouped(Int64(value.rounded())) }
        let digits = size >= 10 ? 1 : size >= 1 ? 2 : 3
        var factor = 1.0
        for _ in 0..<digits { factor *= 10 }
        let scaled = Int64((size * factor).rounded())
        let fraction = String(scaled % Int64(factor))
        let zeros = String(repeating: "0", count: digits - fraction.count)
        return "\(value < 0 ? "-" : "")\(scaled / Int64(factor)).\(zeros)\(fraction)"
    }

    private static func grouped(_ value: Int64) -> String {
        var rest = Array(String(value.magnitude))
        var text = ""
        while rest.count > 3 {
            text = "," + String(rest.suffix(3)) + text
            rest.removeLast(3)
        }
        return (value < 0 ? "-" : "") + String(rest) + text
    }
}

/// All that was measured in one run.
struct Report: Sendable {
    var machine: String
    var isQuick: Bool
    var figures: [Figure] = []
    var failures: [String] = []

    /// As Markdown, aligned, so that it can be read in a terminal and stand in README.md.
    var table: String {
        var rows = [["figure", "measured", "to reach", "limit of the machine", ""]]
        for figure in figures {
            let mark = figure.goal.map { $0.isReached(by: figure.value) ? "✓" : "✗" } ?? ""
            rows.append([
                figure.name, "\(Figure.shown(figure.value)) \(figure.unit)",
                figure.goal.map { "\($0.text) \(figure.unit)" } ?? "",
                figure.limit.map { "\(Figure.shown($0)) \(figure.unit)" } ?? "", mark,
            ])
        }
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = rows.map { row in
            "| " + row.indices.map { row[$0].padding(to: widths[$0]) }.joined(separator: " | ") + " |"
        }
        lines.insert("|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|", at: 1)
        let head = "\(machine), client and database included\(isQuick ? "; quick" : "")"
        return ([head, ""] + lines + failures.map { "not measured: \($0)" }).joined(separator: "\n")
    }

    var json: String {
        let list = figures.map { figure -> JSONValue in
            var object: JSONObject = [
                "part": .string(figure.part.rawValue), "name": .string(figure.name), "value": .number(figure.value),
                "unit": .string(figure.unit),
            ]
            switch figure.goal {
            case .atMost(let value): object["at_most"] = .number(value)
            case .atLeast(let value): object["at_least"] = .number(value)
            case nil: break
            }
            if let goal = figure.goal { object["reached"] = .bool(goal.isReached(by: figure.value)) }
            if let limit = figure.limit { object["limit"] = .number(limit) }
            return .object(object)
        }
        let all: JSONValue = [
            "machine": .string(machine), "quick": .bool(isQuick), "figures": .array(list),
            "failures": .array(failures.map { .string($0) }),
        ]
        return all.text
    }
}

extension String {
    func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
