extension JSONWriter {
    /// The text of Java's `Double.toString`: `256.0`, `0.1`, `1.0E7`, `1.0E-4`, `Infinity`, `NaN`.
    ///
    /// Chronos is a JVM program and its clients have seen cpus, mem and disk in this form. Digits are the shortest that
    /// tell the number from its neighbours, as the JDK has done since 19.
    public static func javaDouble(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity" }
        let sign = value.sign == .minus ? "-" : ""
        guard value != 0 else { return sign + "0.0" }
        let (digits, exponent) = shortestDigits(of: value.magnitude)
        // Java writes plain decimals from 10⁻³ up to, not including, 10⁷.
        switch exponent {
        case -3..<0:
            return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits
        case 0..<7:
            let whole = digits.prefix(exponent + 1)
            let fraction = digits.dropFirst(exponent + 1)
            let padding = String(repeating: "0", count: exponent + 1 - whole.count)
            return sign + whole + padding + "." + (fraction.isEmpty ? "0" : fraction)
        default:
            let fraction = digits.dropFirst()
            return sign + digits.prefix(1) + "." + (fraction.isEmpty ? "0" : fraction) + "E\(exponent)"
        }
    }

    /// The significant digits d₀d₁d₂… and e with value = d₀.d₁d₂… × 10ᵉ, taken from Swift's shortest description.
    private static func shortestDigits(of value: Double) -> (digits: String, exponent: Int) {
        let text = value.description
        let parts = text.split(separator: "e", maxSplits: 1)
        var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let numeral = parts.first ?? "0"
        let whole = numeral.prefix { $0 != "." }
        let fraction = numeral.dropFirst(whole.count + 1)
        exponent += whole.count - 1
        var digits = whole + fraction
        while digits.first == "0", digits.count > 1 {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.last == "0", digits.count > 1 { digits.removeLast() }
        return (String(digits), exponent)
    }
}
