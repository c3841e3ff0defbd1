import Domain
import Foundation
import Runtime
import Testing

@testable import Execution

@Suite("Limits that are held by looking")
struct LimitWatchTests {
    private static func at(_ seconds: Double) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: 1_000_000_000_000 + UInt64(seconds * 1e9))
    }

    private static func sample(cpu: Double? = nil, memory: Int64? = nil, output: Int64 = 0) -> UsageSample {
        UsageSample(attempt: attempt(1), cpu: cpu, memory: memory, output: output)
    }

    @Test("a limit without sustain is exceeded at once, by more than it and not by exactly it")
    func immediate() {
        var limits = RunLimits.none
        limits.cpuPercent = 100
        limits.memoryBytes = 1 << 30
        limits.logBytes = 10 << 20
        var watch = LimitWatch(limits, hardMemory: 0)
        #expect(watch.judge(Self.sample(cpu: 100, memory: 1 << 30, output: 10 << 20), now: Self.at(0)) == nil)
        #expect(
            watch.judge(Self.sample(memory: 1 << 30 + 1), now: Self.at(1))
                == LimitWatch.Verdict(limit: .memory, reason: "Exceeded memory limit of 1 GB"))
        #expect(
            watch.judge(Self.sample(cpu: 100.1), now: Self.at(1))
                == LimitWatch.Verdict(limit: .cpu, reason: "Exceeded CPU limit of 100%"))
        #expect(
            watch.judge(Self.sample(output: 10 << 20 + 1), now: Self.at(1))
                == LimitWatch.Verdict(limit: .logSize, reason: "Exceeded log file size limit of 10 MB"))
    }

    @Test("a limit with sustain must be exceeded without a break for that long")
    func sustained() {
        var limits = RunLimits.none
        limits.memoryBytes = 1 << 30
        limits.memorySustain = .seconds(30)
        limits.cpuPercent = 50.5
        limits.cpuSustain = .seconds(90)
        var watch = LimitWatch(limits, hardMemory: 0)
        let more = Self.sample(cpu: 60, memory: 2 << 30)
        #expect(watch.judge(more, now: Self.at(0)) == nil)
        #expect(watch.judge(more, now: Self.at(29.9)) == nil)
        #expect(watch.judge(Self.sample(cpu: 60, memory: 1), now: Self.at(29.95)) == nil)
        #expect(watch.judge(more, now: Self.at(30)) == nil)
        #expect(watch.judge(more, now: Self.at(59)) == nil)
        #expect(
            watch.judge(more, now: Self.at(60))?.reason == "Exceeded memory limit of 1 GB for over 30 seconds")
        #expect(
            watch.judge(Self.sample(cpu: 60), now: Self.at(90))?.reason
                == "Exceeded CPU limit of 50.5% for over 1 minute, 30 seconds")
    }

    @Test("quantities read as Cronicle writes them")
    func texts() {
        let bytes: [(Int64, String)] = [
            (0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1 K"), (18_700, "18.2 K"),
            (287_837_389, "274.5 MB"), (1 << 30, "1 GB"), (3 << 40, "3 TB"),
        ]
        for (amount, text) in bytes { #expect(LimitText.bytes(amount) == text) }
        let durations: [(Int, String)] = [
            (0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (90, "1 minute, 30 seconds"),
            (5_400, "1 hour, 30 minutes"), (3_601, "1 hour"), (90_000, "1 day, 1 hour"), (172_800, "2 days"),
        ]
        for (seconds, text) in durations { #expect(LimitText.duration(.seconds(seconds)) == text) }
    }

    @Test("what is told again is what has changed")
    func news() {
        var details = AttemptDetails()
        #expect(!details.isNews(after: nil))
        details.add(Self.sample(cpu: 10, memory: 1 << 20, output: 5))
        #expect(details.isNews(after: nil))
        let told = details
        details.add(Self.sample(cpu: 10.5, memory: 1 << 20 + 4096, output: 5))
        #expect(!details.isNews(after: told))
        #expect(details.cpu?.count == 2)
        var louder = details
        louder.add(Self.sample(output: 6))
        #expect(louder.isNews(after: told))
        details.add(Self.sample(cpu: 80, memory: 1 << 20))
        #expect(details.isNews(after: told))
        #expect(details.cpu == UsageStatistics(minimum: 10, maximum: 80, total: 100.5, count: 3, current: 80))
    }
}

extension LauncherTests {
    @Suite("Usage of real processes")
    struct MeterTests {
        @Test(
            "processor time, memory and output of a whole tree are seen, with control groups and without",
            arguments: [true, false])
        func usage(hasGroups: Bool) async throws {
            try await withBench(change: { $0.groups.isWanted = hasGroups }) { bench in
                let process = try await bench.launch(
                    sampleOffer(
                        attempt(1),
                        command: "echo 12345; (setsid sh -c 'while :; do :; done' &) ; head -c 60000000 /dev/zero | "
                            + "(tail -c 50000000; sleep 1000) >/dev/null & "
                            + "(head -c 40000000 /dev/zero; sleep 1000) | tail"
                    ))
                let idle = try await bench.launch(sampleOffer(attempt(2), command: "exec sleep 1000"))
                var busy: UsageSample?
                var quiet: UsageSample?
                for _ in 0..<100 {
                    try await bench.loop.sleep(for: .milliseconds(200))
                    let samples = await bench.launcher.sample()
                    busy = samples.first { $0.attempt == attempt(1) }
                    quiet = samples.first { $0.attempt == attempt(2) }
                    if let busy, busy.cpu ?? 0 > 20, busy.memory ?? 0 > 30_000_000, quiet?.cpu != nil { break }
                }
                #expect(busy?.cpu ?? 0 > 20, "\(String(describing: busy))")
                #expect(busy?.memory ?? 0 > 30_000_000, "\(String(describing: busy))")
                #expect(busy?.output == 6)
                #expect(quiet?.cpu ?? 100 < 10)
                #expect(quiet?.memory ?? 0 > 100_000)
                for process in [process, idle] {
                    await process.end(grace: .zero)
                    _ = await process.ended()
                }
                #expect(await bench.launcher.sample().isEmpty)
            }
        }

        @Test("of a container whose process nobody knows, the output is known, and nothing is taken for its usage")
        func unknownProcess() throws {
            let scratch = try Scratch()
            let log = try OutputLog(path: "\(scratch.path)/log", limit: 400)
            let meter = UsageMeter(children: ChildTable.ofThisProcess)
            meter.add(.init(attempt: attempt(1), command: 0, sandbox: "/nowhere", group: nil, log: log))
            try log.write(Array("12345".utf8))
            #expect(meter.sample() == [UsageSample(attempt: attempt(1), output: 5)])
        }

        @Test("a look at 200 idle runs is cheap")
        func cheap() async throws {
            try await withBench { bench in
                var processes: [any RunningProcess] = []
                for number in 1...200 {
                    processes.append(try await bench.launch(sampleOffer(attempt(number), command: "exec sleep 1000")))
                }
                _ = await bench.launcher.sample()
                let before = ContinuousClock.now
                for _ in 0..<10 { #expect(await bench.launcher.sample().count == 200) }
                print("a look at 200 runs takes \((ContinuousClock.now - before) / 10)")
                for process in processes { await process.end(grace: .zero) }
                for process in processes { _ = await process.ended() }
            }
        }
    }
}
