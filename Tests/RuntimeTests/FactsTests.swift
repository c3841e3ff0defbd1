import Glibc
import Runtime
import Testing

@Suite("Log, back-off, signals, host", .timeLimit(.minutes(1)))
struct FactsTests {
    private func lines(_ minimum: Log.Level?, _ body: (Log) -> Void) -> [String] {
        let lines = Events<String>()
        body(Log("elector", minimum: minimum) { lines.append(String(decoding: $0, as: UTF8.self)) })
        return lines.all
    }

    @Test("a line has time, level, component, message and fields")
    func line() throws {
        let lines = lines(.debug) { $0.with("epoch", 7).with("node", "a").info("took office") }
        let line = try #require(lines.first)
        #expect(
            line.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info    elector: took office epoch=7 node=a\n/)
                != nil)
    }

    @Test("as JSON a line is one object whatever is in it, with numbers as they are at its time")
    func json() throws {
        let lines = Events<String>()
        let epoch = LogNumber()
        let log = Log("node", format: .json) { lines.append(String(decoding: $0, as: UTF8.self)) }
            .with("epoch", epoch).with("job", "a \"b\"\\")
        log.info("one\ntwo\u{1}")
        epoch.set(7)
        log.error(String(repeating: "x", count: 9_000))
        let all = lines.all
        let first = try #require(all.first)
        #expect(first.contains(/^\{"time":"[0-9T:.Z-]+","level":"info","component":"node",/))
        #expect(first.hasSuffix(#""message":"one\ntwo\u0001","job":"a \"b\"\\"}"# + "\n"))
        #expect(all[1].contains(#" [cut]","epoch":"7","job":"#) && all[1].hasSuffix("}\n"))
        #expect(all.allSatisfy { $0.filter { $0 == "\n" }.count == 1 })
    }

    @Test("lines below the level are not written, and not even made")
    func level() {
        let made = Flag()
        let lines = lines(.warning) { log in
            log.notice(
                {
                    made.set(); return "x"
                }())
            log.warning("y")
            log.error("z")
        }
        #expect(lines.count == 2)
        #expect(!made.isSet)
        #expect(Log.Level(name: "warning") == .warning)
        #expect(Log.Level(name: "loud") == nil)
    }

    @Test("a value with line breaks and control characters stays on one line, a long one is cut")
    func escaping() {
        let lines = lines(.debug) {
            $0.with("name", "a\nb\r\u{1b}[31m").info("x\ty\u{85}")
            $0.info(String(repeating: "ä", count: 50_000))
        }
        #expect(lines[0].hasSuffix("x\\ty\\u{85} name=a\\nb\\r\\u{1b}[31m\n"))
        #expect(lines[0].filter(\.isNewline).count == 1)
        #expect(lines[1].utf8.count < 8_300)
        #expect(lines[1].hasSuffix(" [cut]\n"))
    }

    @Test("pauses grow by the factor up to the maximum, vary within the jitter, and begin anew after a success")
    func backoff() {
        var plain = Backoff(initial: .milliseconds(100), maximum: .seconds(1), factor: 2, jitter: 0)
        #expect((0..<6).map { _ in plain.next() } == [100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
        plain.reset()
        #expect(plain.next() == .milliseconds(100))

        var generator = SplitMix(state: 1)
        var varied = Backoff(initial: .seconds(1), maximum: .seconds(1), factor: 1, jitter: 0.5)
        let pauses = (0..<100).map { _ in varied.next(using: &generator) }
        #expect(pauses.allSatisfy { $0 >= .milliseconds(500) && $0 <= .seconds(1) })
        #expect(Set(pauses).count > 90)
    }

    @Test("senseless parameters of a back-off do no harm")
    func oddBackoff() {
        var odd = Backoff(initial: .seconds(10), maximum: .seconds(1), factor: -3, jitter: 7)
        for _ in 0..<10 {
            let pause = odd.next()
            #expect(pause >= .zero && pause <= .seconds(1))
        }
        var huge = Backoff(initial: .seconds(1), maximum: .seconds(86_400), factor: 1e300, jitter: 0)
        _ = huge.next()
        #expect(huge.next() == .seconds(86_400))
    }

    @Test("signals arrive as values in their order")
    func signals() throws {
        let loop = try EventLoop()
        let stream = try SignalStream(loop: loop, signals: [SIGUSR1, SIGUSR2])
        try loop.runUntilComplete {
            // To this thread: other threads of the test process do not have the signals blocked.
            pthread_kill(pthread_self(), SIGUSR1)
            let first = try await stream.next()
            #expect(first == SIGUSR1)
            pthread_kill(pthread_self(), SIGUSR2)
            let second = try await stream.next()
            #expect(second == SIGUSR2)
            let waiter = loop.start("waiter") {
                await #expect(throws: CancellationError.self) { _ = try await stream.next() }
            }
            await Task.yield()
            waiter.cancel()
            await waiter.value
            stream.close()
            stream.close()
        }
    }

    @Test("the host's facts are plausible")
    func host() {
        #expect(!HostFacts.hostName.isEmpty)
        #expect(HostFacts.processorCount >= 1)
        #expect(HostFacts.memoryMegabytes > 100)
        #expect(HostFacts.bootID.count == 36)
        #expect(HostFacts.bootID == HostFacts.bootID)
        #expect(HostFacts.freeDiskMegabytes("/") != nil)
        #expect(HostFacts.freeDiskMegabytes("/no/such/place") == nil)
    }
}
