import Domain
import Timetable

// Values for tests: small, and complete enough that each field that gets lost on the way is noticed.

/// 2026-11-21T12:00:00Z and seconds after it.
func at(_ seconds: Int64) -> Instant { Instant(seconds: 1_795_262_400 + seconds) }

extension Job {
    static func scheduled(
        _ id: String, name: String? = nil, version: Int64 = 1, next: Int64? = 0, due: Int64 = 60,
        isEnabled: Bool = true
    ) -> Job {
        var definition = JobDefinition(name: name ?? "job-\(id)")
        definition.command = "echo \(id)"
        definition.trigger = .schedule(
            ScheduleText(notation: .iso8601, text: "R/2026-11-21T12:01:00Z/PT1M", zone: "Europe/Berlin", anchor: at(0)))
        return Job(
            id: JobID(id), version: version, definition: definition, isEnabled: isEnabled,
            next: next.map { Occurrence(index: $0, due: at(due)) }, created: at(0), modified: at(1))
    }

    static func dependent(_ id: String, on parents: [String]) -> Job {
        var definition = JobDefinition(name: "job-\(id)")
        definition.trigger = .parents(parents)
        return Job(
            id: JobID(id), version: 1, definition: definition, isEnabled: true, created: at(0), modified: at(1))
    }
}

extension JobDefinition {
    /// No field has its default.
    static func full() throws -> JobDefinition {
        var definition = JobDefinition(name: "nächtlich \"1\" \\ {a,b}")
        definition.description = "line one\nline two"
        definition.owner = "a@example.org,b@example.org"
        definition.ownerName = "Ünal"
        definition.command = "/bin/true '{}' \"NULL\" \u{1F514}"
        definition.shell = false
        definition.arguments = ["", "a b", "NULL", "{}", "\\", "\"", "é"]
        definition.environment = [
            EnvironmentVariable(name: "A", value: "1"), EnvironmentVariable(name: "A", value: ""),
        ]
        definition.runAsUser = "nobody"
        definition.trigger = .schedule(
            ScheduleText(
                notation: .cron, text: "*/5 * * * *", zone: "Europe/Berlin", anchor: Instant(microseconds: -1)))
        definition.resources = Resources(cpus: 0.1, memory: 1.0e7, disk: 0.30000000000000004)
        definition.constraints = [
            try Constraint(attribute: "rack", comparison: "LIKE", value: "r[0-9]+"),
            try Constraint(attribute: "hostname", comparison: "EQUALS", value: "h1"),
        ]
        definition.highPriority = true
        definition.retries = 7
        definition.retryDelay = .microseconds(1)
        definition.timeout = .seconds(31_622_400)
        definition.startWindow = .milliseconds(1_500)
        definition.overlap = .queue
        definition.catchUp = .all
        definition.reportsCompletion = true
        definition.softError = true
        definition.title = "Title"
        definition.category = "c1"
        definition.plugin = "p1"
        definition.pluginParameters = #"{"a":1}"#
        definition.runAsGroup = "staff"
        definition.workingDirectory = "/srv"
        definition.container = ContainerSpec(image: "busybox")
        definition.artifacts = [Artifact(uri: "http://h/a")]
        definition.limits.logBytes = 5
        definition.isDetached = true
        definition.retriesAfterLimit = false
        definition.target = .named("g1")
        definition.algorithm = .random
        definition.isMultiplexed = true
        definition.stagger = .seconds(1)
        definition.maximumActive = 4
        definition.queueLimit = 3
        definition.onSuccess = "next"
        definition.onFailure = "alarm"
        definition.notifications.webHook = "http://h/hook"
        definition.dialectFields = #"{"b": 1, "a": [1.0, null], "é": "\u0041"}"#
        return definition
    }
}

extension Run {
    static func scheduled(
        _ id: String, of job: Job, index: Int64 = 0, due: Int64 = 60, state: RunState = .queued, attempt: Int = 0,
        worker: String = "", startDeadline: Instant? = nil
    ) -> Run {
        Run(
            id: RunID(id), job: job.reference, jobName: job.definition.name,
            cause: .schedule(version: job.version, index: index), due: at(due), state: state, attempt: attempt,
            startDeadline: startDeadline, worker: worker)
    }

    /// No field has its default.
    static func full(_ id: String, of job: Job) -> Run {
        Run(
            id: RunID(id), job: job.reference, jobName: job.definition.name, cause: .manual(key: "k:1"), lane: 3,
            due: Instant(microseconds: 1_795_262_400_123_456), adHocArguments: "a 'b' {c}", isHighPriority: true,
            isLast: true, isAbortRequested: true, state: .waiting, attempt: 2, notBefore: at(1), startDeadline: at(2),
            worker: "w",
            offeredAt: at(3), startedAt: at(4), finishedAt: nil, reason: "exit status 1, \"NULL\"",
            context: RunContext(
                definition: JobDefinition(name: "other"), source: "API Key (x)",
                chain: ChainLink(
                    run: RunID("r0"), job: JobID("j0"), jobTitle: "T", data: "{}", code: "1", description: "d",
                    length: 2),
                postData: #"{"a":[1]}"#))
    }

    func becoming(_ state: RunState, _ change: (inout Run) -> Void = { _ in }) -> Run {
        var next = self
        next.state = state
        change(&next)
        return next
    }

    func finished(_ state: RunState, at instant: Instant) -> Run {
        becoming(state) { $0.finishedAt = instant }
    }
}

extension RunUpdate {
    static func from(_ states: RunState..., attempt: Int = 0, to run: Run) -> RunUpdate {
        RunUpdate(run: run, expectedStates: states, expectedAttempt: attempt)
    }
}

extension LedgerEntry {
    static func launched(_ job: Job, index: Int64, run: Run) -> LedgerEntry {
        LedgerEntry(
            job: job.reference, jobName: job.definition.name, firstIndex: index, lastIndex: index, firstDue: run.due,
            lastDue: run.due, count: 1, verdict: .launched, reason: "", run: run.id, recorded: at(61))
    }
}

extension AttemptRecord {
    static func failed(_ run: String, _ number: Int, at instant: Instant, tail: String = "") -> AttemptRecord {
        AttemptRecord(
            attempt: AttemptID(run: RunID(run), number: number), worker: "w1", startedAt: at(1), finishedAt: instant,
            state: .failed, exitCode: 1, reason: "exit status 1", outputTail: tail, details: details)
    }

    private static var details: AttemptDetails {
        var details = AttemptDetails()
        details.cpu = UsageStatistics(first: 1.5)
        details.reported = #"{"code":"x"}"#
        return details
    }
}

extension Worker {
    static func named(_ name: String, boot: String = "b1", isDrained: Bool = false) -> Worker {
        Worker(
            description: WorkerDescription(
                name: name, url: "http://\(name):1", boot: boot,
                capacity: Resources(cpus: 3.7, memory: 1024, disk: 4096.5),
                attributes: ["hostname": name, "rack": "r\"1", "é": ""], version: "1.0"),
            isDrained: isDrained, registered: at(5))
    }
}
