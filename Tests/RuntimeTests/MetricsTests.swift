import Glibc
import Testing

@testable import Runtime

@Suite("Figures for Prometheus")
struct MetricsTests {
    @Test("a histogram is written as cumulative buckets with sum and count")
    func histogram() {
        var histogram = Histogram([0.1, 1])
        for milliseconds in [50, 100, 500, 3_000] { histogram.observe(.milliseconds(milliseconds)) }
        // Of clocks that differ.
        histogram.observe(.milliseconds(-20))
        var page = MetricsPage()
        page.add("a_seconds", "Waits.", histogram)
        #expect(
            page.text == """
                # HELP a_seconds Waits.
                # TYPE a_seconds histogram
                a_seconds_bucket{le="0.1"} 3
                a_seconds_bucket{le="1"} 4
                a_seconds_bucket{le="+Inf"} 5
                a_seconds_sum 3.65
                a_seconds_count 5

                """)
    }

    @Test("labels and help are escaped, numbers are exact, and a family without samples is left out")
    func text() {
        var page = MetricsPage()
        page.add("b_total", .counter, "One\nline \\ \"more\".", [.init([("name", "a\"b\\c\nd")], 12_345_678_901)])
        page.add("c", .gauge, "Nothing.", [])
        page.add("d", .gauge, "Odd.", [.init([], .nan), .init([], -.infinity), .init([], 0.25)])
        #expect(
            page.text == #"""
                # HELP b_total One\nline \\ "more".
                # TYPE b_total counter
                b_total{name="a\"b\\c\nd"} 12345678901
                # HELP d Odd.
                # TYPE d gauge
                d NaN
                d -Inf
                d 0.25

                """#)
    }

    @Test("a process knows what it uses: memory, processor time, files and its start")
    func process() throws {
        let before = ProcessFigures.now()
        #expect(before.residentBytes > 1e6)
        #expect(before.cpuSeconds >= 0)
        let started = try #require(before.startedAt)
        #expect(started > 1e9 && started < Double(time(nil)) + 1)
        var descriptors: [Int32] = []
        for _ in 0..<64 { descriptors.append(open("/dev/null", O_RDONLY | O_CLOEXEC)) }
        let open = try #require(ProcessFigures.now().openDescriptors)
        for descriptor in descriptors { close(descriptor) }
        // Other tests open and close some at the same time.
        #expect(open > 64)
        #expect(try #require(before.descriptorLimit) >= open)
    }
}
