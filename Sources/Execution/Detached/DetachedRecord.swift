import Domain
import DomainCoding
import JSON
import Timetable

/// What the next process of the worker must know of a run that it takes over.
struct DetachedRecord: Hashable, Sendable {
    var offer: Offer
    var user: String
    var startedAt: Instant
    var machineBoot: String
    /// Name of its control group; empty: none.
    var group: String
    /// The kernel's kills in that before this run.
    var groupKills: Int64 = 0
    /// Of a container: bytes in the log before its first output.
    var logStart: Int64 = 0

    /// Without what is of no use once the command runs: arguments, environment, constraints.
    var encoded: [UInt8] {
        var object: JSONObject = [
            "run": .string(offer.attempt.run.rawValue), "attempt": .integer(Int64(offer.attempt.number)),
            "job": .string(offer.job.job.rawValue), "version": .integer(offer.job.version),
            "name": .string(offer.jobName), "owner": .string(offer.owner), "task": .string(offer.taskID),
            "due": .integer(offer.due.microseconds), "command": .string(offer.command),
            "cpus": .number(offer.resources.cpus), "memory": .number(offer.resources.memory),
            "disk": .number(offer.resources.disk), "user": .string(user),
            "started": .integer(startedAt.microseconds), "machine_boot": .string(machineBoot),
            "group": .string(group), "group_kills": .integer(groupKills), "log_start": .integer(logStart),
        ]
        if let timeout = offer.timeout {
            let parts = timeout.components
            object["timeout"] = .integer(
                parts.seconds.multipliedReportingOverflow(by: 1_000_000).partialValue
                    &+ parts.attoseconds / 1_000_000_000_000)
        }
        if let extras = offer.extras { object["extras"] = OfferExtrasCoding.encode(extras) }
        return JSONValue.object(object).serialized()
    }

    /// Nil for what is no record: damaged, or of a later version.
    init?(decoding bytes: [UInt8]) {
        // The reason does not matter: what is no record cannot be taken over, and is ended.
        guard let value = try? JSONValue(parsing: bytes), let run = value["run"]?.stringValue,
            let number = value["attempt"]?.int64Value.flatMap(Int.init(exactly:)),
            let job = value["job"]?.stringValue, let version = value["version"]?.int64Value,
            let name = value["name"]?.stringValue, let owner = value["owner"]?.stringValue,
            let task = value["task"]?.stringValue, let due = value["due"]?.int64Value,
            let command = value["command"]?.stringValue, let cpus = value["cpus"]?.doubleValue,
            let memory = value["memory"]?.doubleValue, let disk = value["disk"]?.doubleValue,
            let user = value["user"]?.stringValue, let started = value["started"]?.int64Value,
            let machineBoot = value["machine_boot"]?.stringValue, let group = value["group"]?.stringValue
        else { return nil }
        var extras: OfferExtras?
        if let text = value["extras"] {
            guard let decoded = try? OfferExtrasCoding.decode(text) else { return nil }  // as above
            extras = decoded
        }
        offer = Offer(
            attempt: AttemptID(run: RunID(run), number: number), job: JobVersion(job: JobID(job), version: version),
            jobName: name, owner: owner, taskID: task, due: Instant(microseconds: due), command: command, shell: true,
            arguments: [], environment: [], user: user,
            resources: Resources(cpus: cpus, memory: memory, disk: disk), constraints: [],
            timeout: value["timeout"]?.int64Value.map { .microseconds($0) }, startDeadline: nil, extras: extras)
        self.user = user
        startedAt = Instant(microseconds: started)
        self.machineBoot = machineBoot
        self.group = group
        groupKills = value["group_kills"]?.int64Value ?? 0
        logStart = value["log_start"]?.int64Value ?? 0
    }

    init(offer: Offer, user: String, startedAt: Instant, machineBoot: String, group: String) {
        self.offer = offer
        self.user = user
        self.startedAt = startedAt
        self.machineBoot = machineBoot
        self.group = group
    }
}
