import Domain
import Runtime

/// Holds the samples of one run against its limits.
struct LimitWatch: Sendable, Hashable {
    let limits: RunLimits
    /// Megabytes of the hard limit, for its text.
    let hardMemory: Double
    private var cpuSince: MonotonicInstant?
    private var memorySince: MonotonicInstant?

    struct Verdict: Hashable, Sendable {
        let limit: ExceededLimit
        let reason: String
    }

    init(_ limits: RunLimits, hardMemory: Double) {
        self.limits = limits
        self.hardMemory = hardMemory
    }

    /// Nil while it keeps to all of them.
    mutating func judge(_ sample: UsageSample, now: MonotonicInstant) -> Verdict? {
        if sample.wasKilledForMemory { return Self.killedForMemory(megabytes: hardMemory) }
        if limits.logBytes > 0, sample.output > limits.logBytes {
            return Verdict(
                limit: .logSize, reason: "Exceeded log file size limit of \(LimitText.bytes(limits.logBytes))")
        }
        if limits.memoryBytes > 0, let memory = sample.memory,
            Self.lasts(memory > limits.memoryBytes, since: &memorySince, limits.memorySustain, now)
        {
            let sustained = LimitText.sustained(limits.memorySustain)
            return Verdict(
                limit: .memory, reason: "Exceeded memory limit of \(LimitText.bytes(limits.memoryBytes))\(sustained)")
        }
        if limits.cpuPercent > 0, let cpu = sample.cpu,
            Self.lasts(cpu > limits.cpuPercent, since: &cpuSince, limits.cpuSustain, now)
        {
            let sustained = LimitText.sustained(limits.cpuSustain)
            return Verdict(
                limit: .cpu, reason: "Exceeded CPU limit of \(LimitText.number(limits.cpuPercent))%\(sustained)")
        }
        return nil
    }

    static func killedForMemory(megabytes: Double) -> Verdict {
        let limit = LimitText.bytes(Int64(exactly: (megabytes * 1_048_576).rounded()) ?? 0)
        return Verdict(limit: .hardMemory, reason: "Exceeded memory limit of \(limit): killed for memory by the kernel")
    }

    /// Whether it holds without a break for that long.
    private static func lasts(
        _ isExceeded: Bool, since: inout MonotonicInstant?, _ sustain: Duration, _ now: MonotonicInstant
    ) -> Bool {
        guard isExceeded else {
            since = nil
            return false
        }
        let begin = since ?? now
        since = begin
        return begin.duration(to: now) >= sustain
    }
}

/// Quantities as Cronicle writes them.
enum LimitText {
    /// `512 bytes`, `18.2 K`, `274.5 MB`, `1 GB`: cut, not rounded, at each step.
    static func bytes(_ bytes: Int64) -> String {
        guard bytes >= 1024 else { return "\(bytes) byte\(bytes == 1 ? "" : "s")" }
        var amount = Double(bytes)
        for unit in ["K", "MB", "GB"] {
            amount = (amount / 1024 * 10).rounded(.down) / 10
            if amount < 1024 { return "\(number(amount)) \(unit)" }
        }
        return "\(number((amount / 1024 * 10).rounded(.down) / 10)) TB"
    }

    /// `1 minute, 30 seconds`: at most two units, the smaller ones cut.
    static func duration(_ duration: Duration) -> String { duration.inWords }

    static func sustained(_ duration: Duration) -> String {
        duration > .zero ? " for over \(self.duration(duration))" : ""
    }

    /// Without a needless ".0".
    static func number(_ value: Double) -> String {
        Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
