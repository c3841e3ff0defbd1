import Testing

@testable import Timetable

@Suite("ISO 8601 durations")
struct ISODurationTests {
    @Test(
        "a duration keeps its parts and prints without those that are zero",
        arguments: [
            ("PT60M", "PT60M"), ("PT0M", "PT0S"), ("P", "PT0S"), ("P1Y2M3W4DT5H6M7S", "P1Y2M3W4DT5H6M7S"),
            ("P01D", "P1D"), ("P0Y1M", "P1M"), ("PT1.5S", "PT1.500S"), ("PT1,25S", "PT1.250S"),
            ("PT0.000001S", "PT0.000001S"), ("P1W", "P1W"), ("P-1D", "P-1D"), ("PT-0.5S", "PT-0.500S"),
            ("P+2D", "P2D"), ("PT2147483647S", "PT2147483647S"), ("P1M", "P1M"), ("PT1M", "PT1M"), ("P1DT1M", "P1DT1M"),
        ])
    func parts(text: String, normalized: String) throws {
        #expect(try ISODuration(text).normalizedText == normalized)
    }

    @Test(
        "malformed durations are refused",
        arguments: [
            "", "PT", "P1DT", "-P1D", "p1d", "P1d", "P1", "1D", "P1D1Y", "P1S", "PT1D", "PT1H1H", "PT1.5H", "P1.5D",
            "P0001-00-00T00:00:00", "PT.5S", "PT1.S", "P1D ", " P1D", "P--1D", "PTT1S", "P1DT1S2", "PT1M1H", "Pя",
        ])
    func malformed(text: String) {
        #expect(throws: ScheduleError.self) { try ISODuration(text) }
    }

    @Test("numbers and texts without end are refused, not overflowed")
    func limits() {
        for text in ["PT2147483648S", "P99999999999999999999999Y", "P" + String(repeating: "9", count: 5_000) + "D"] {
            #expect(throws: ScheduleError.self) { try ISODuration(text) }
        }
    }

    @Test("a duration has a fixed length unless it has years or months")
    func lengths() throws {
        #expect(try ISODuration("P1W2DT3H4M5.5S").fixed == .milliseconds(788_645_500))
        #expect(try ISODuration("P1M").fixed == nil)
        #expect(try ISODuration("P1Y").fixed == nil)
        #expect(try ISODuration("P1Y").approximate == .seconds(31_556_952))
        #expect(try ISODuration("P-1D").fixed == .seconds(-86_400))
        #expect(try ISODuration("P-1D").hasNegativePart)
        #expect(try ISODuration("PT-0.1S").hasNegativePart)
        #expect(try !ISODuration("P1D").hasNegativePart)
        let largest = try ISODuration("P2147483647Y2147483647M2147483647W2147483647DT2147483647H2147483647M2147483647S")
        #expect(largest.approximate > .seconds(60_000_000_000_000_000))
    }

    @Test("an error says what would be right")
    func messages() {
        let fraction = #expect(throws: ScheduleError.self) { try ISODuration("PT1.5H") }
        #expect(fraction?.message.contains("PT90M") == true)
        let small = #expect(throws: ScheduleError.self) { try ISODuration("p1d") }
        #expect(small?.message.contains("capital") == true)
    }
}
