import Timetable

/// A timeout that ends a run for good bounds all of its tries together, from the start of the first one, with the
/// delays between them (cronicle.md §2.9); one after which the run is tried again bounds each try.
extension ActiveRun {
    /// What is left of it for a try that starts at that instant; a try that is offered may run for a moment at least.
    func timeout(ofTryFrom start: Instant) -> Duration? {
        guard let timeout = definition.timeout, let left = timeLeft(at: start) else { return definition.timeout }
        return max(.seconds(1), min(left, timeout))
    }

    /// Until the run as a whole has taken too long; nil where nothing limits that, or before its second try.
    func timeLeft(at now: Instant) -> Duration? {
        guard !definition.retriesAfterLimit, let timeout = definition.timeout, let first = run.context?.firstStart
        else { return nil }
        return timeout - first.duration(to: now)
    }

    var overtimeText: String {
        "Exceeded maximum run time\(definition.timeout.map { " (\($0.inWords))" } ?? "")"
    }
}

extension Duration {
    /// `1 minute, 30 seconds`: at most two units, the smaller ones cut.
    public var inWords: String {
        var parts: [(amount: Int64, unit: String)] = []
        var rest = max(0, components.seconds)
        for (unit, size) in [("day", Int64(86_400)), ("hour", 3_600), ("minute", 60), ("second", 1)] {
            if rest >= size || unit == "second" || !parts.isEmpty { parts.append((rest / size, unit)) }
            rest %= size
        }
        let shown = parts.prefix(2).enumerated().filter { $0.offset == 0 || $0.element.amount > 0 }
        return shown.map { "\($0.element.amount) \($0.element.unit)\($0.element.amount == 1 ? "" : "s")" }
            .joined(separator: ", ")
    }
}

extension LeaderState {
    /// Keeps when the first try began, for the time that is left for others. Whoever leads next knows it as well.
    mutating func noteFirstStart(of active: inout ActiveRun, _ record: AttemptRecord) {
        guard !active.definition.retriesAfterLimit, active.definition.timeout != nil,
            active.run.context?.firstStart == nil, let start = record.startedAt
        else { return }
        let former = active.run.context
        let context = RunContext(
            definition: former?.definition, source: former?.source ?? "", chain: former?.chain,
            postData: former?.postData ?? "", worker: former?.worker ?? "", trace: former?.trace, firstStart: start)
        active.run.context = context
        changes.contexts.removeAll { $0.run == active.run.id }
        changes.contexts.append((run: active.run.id, context: context))
    }
}
