import Domain
import Runtime

// What runs use, and the limits that are held by looking at them (the kernel's own need no help).
extension WorkerAgent {
    /// Looks at all runs, twice a second, while there are any.
    func watchUsage() async {
        while !Task.isCancelled {
            guard !running.isEmpty else {
                // Fails by cancellation only.
                guard (try? await runStarted.wait()) != nil else { return }
                continue
            }
            // What plugins tell is waited for by people, and looked at more often than what runs use.
            for _ in 0..<2 {
                await listen()
                // Cancelled: the worker ends.
                guard (try? await timekeeper.sleep(for: ExecutionLimits.sampling / 2)) != nil else { return }
            }
            let samples = await launcher.sample().sorted { $0.attempt < $1.attempt }
            let now = timekeeper.monotonicNow
            for sample in samples { await observe(sample, now: now) }
            await listen()
        }
    }

    /// What plugins' tasks have told since the last look. News does not wait for the next heartbeat.
    private func listen() async {
        var hasNews = false
        defer { if hasNews { heartbeatWanted.signal() } }
        let plugins = running.filter { holdings[$0]?.offer?.extras?.plugin != nil }.sorted()
        for attempt in plugins {
            guard let news = await holdings[attempt]?.process?.news() else { continue }
            // It has ended meanwhile, and all that it told is in its report.
            guard holdings[attempt]?.phase == .started else { continue }
            guard holdings[attempt]?.details.reported != news else { continue }
            holdings[attempt]?.details.reported = news
            hasNews = true
        }
    }

    private func observe(_ sample: UsageSample, now: MonotonicInstant) async {
        let attempt = sample.attempt
        guard var holding = holdings[attempt], holding.process != nil else { return }
        holding.details.add(sample)
        let verdict = holding.ending == nil ? holding.limits?.judge(sample, now: now) : nil
        holdings[attempt] = holding
        guard let verdict else { return }
        log(of: attempt).notice("ending it: \(verdict.reason)")
        await end(attempt, because: .exceeded(verdict.limit, reason: verdict.reason))
    }

    /// What the journal holds, with what has changed of it since the last heartbeat.
    func heldWithNews() -> [HeldAttempt] {
        var held = self.held
        for index in held.indices where held[index].phase == .started {
            guard let holding = holdings[held[index].attempt], holding.details.isNews(after: holding.toldDetails) else {
                continue
            }
            held[index].details = holding.details
        }
        return held
    }

    /// The heartbeat with them has arrived.
    func noteTold(_ held: [HeldAttempt]) {
        for item in held {
            guard let details = item.details else { continue }
            holdings[item.attempt]?.toldDetails = details
        }
    }
}

extension AttemptDetails {
    mutating func add(_ sample: UsageSample) {
        logBytes = max(logBytes, sample.output)
        if let value = sample.cpu { cpu.add(value) }
        if let value = sample.memory { memory.add(Double(value)) }
    }

    /// Sums and counts change at each look; they are told when something has happened.
    func isNews(after told: AttemptDetails?) -> Bool {
        guard let told else { return self != AttemptDetails() }
        var quiet = self
        quiet.cpu = told.cpu
        quiet.memory = told.memory
        if quiet != told { return true }
        return Self.differ(cpu, told.cpu, by: 1) || Self.differ(memory, told.memory, by: 64 * 1_024)
    }

    private static func differ(_ now: UsageStatistics?, _ before: UsageStatistics?, by step: Double) -> Bool {
        guard let now, let before else { return (now == nil) != (before == nil) }
        return abs(now.current - before.current) >= step || now.maximum - before.maximum >= step
    }
}

extension UsageStatistics? {
    fileprivate mutating func add(_ value: Double) {
        if self == nil { self = UsageStatistics(first: value) } else { self?.add(value) }
    }
}
