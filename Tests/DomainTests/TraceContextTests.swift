import Testing

@testable import Domain

@Suite("W3C trace context")
struct TraceContextTests {
    private static let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test("a traceparent is kept as it is; a later version is read as far as it is known")
    func accepted() {
        #expect(TraceContext(Self.good)?.text == Self.good)
        #expect(TraceContext("cc" + Self.good.dropFirst(2) + "-more")?.text == Self.good)
    }

    @Test(
        "what is none is ignored",
        arguments: [
            nil, "", "00", good.uppercased(), good + "-more", "ff" + good.dropFirst(2), good.dropLast() + "g",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", " " + good,
            "01" + good.dropFirst(2) + "-" + String(repeating: "x", count: 600),
        ] as [String?])
    func refused(_ text: String?) {
        #expect(TraceContext(text) == nil)
    }
}
