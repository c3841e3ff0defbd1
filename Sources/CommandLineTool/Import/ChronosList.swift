import Domain
import JSON
import Timetable

/// A list of jobs as Chronos answers it (`GET /v1/scheduler/jobs`).
enum ChronosList {
    /// What Chronos tells of a job besides what it is.
    private static let told: Set<String> = [
        "successCount", "errorCount", "lastSuccess", "lastError", "errorsSinceLastSuccess",
    ]

    static func plan(_ jobs: [JSONValue], now: Instant) -> ImportPlan {
        var plan = ImportPlan()
        var waiting: [(name: String, job: JSONObject)] = []
        var known: Set<String> = []
        for (index, value) in jobs.enumerated() {
            guard var job = value.objectValue, let name = job["name"]?.stringValue, !name.isEmpty else {
                plan.refuse("entry \(index + 1)", "it is no job: an object with a \"name\"")
                continue
            }
            guard known.insert(name).inserted else {
                plan.refuse("job '\(name)' (entry \(index + 1))", "there is another one of that name before it")
                continue
            }
            for key in told { job[key] = nil }
            waiting.append((name, job))
        }
        // Parents first: a job is refused whose parents are not there.
        var placed: Set<String> = []
        while !waiting.isEmpty {
            let ready = waiting.filter { entry in
                parents(entry.job).allSatisfy { placed.contains($0) || !known.contains($0) }
            }
            guard !ready.isEmpty else {
                for entry in waiting {
                    plan.refuse("job '\(entry.name)'", "its parents wait for one another in a circle")
                }
                break
            }
            for entry in ready { plan.steps.append(step(entry.name, entry.job, now: now)) }
            let names = Set(ready.map(\.name))
            placed.formUnion(names)
            waiting.removeAll { names.contains($0.name) }
        }
        return plan
    }

    private static func parents(_ job: JSONObject) -> [String] {
        (job["parents"]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    private static func step(_ name: String, _ job: JSONObject, now: Instant) -> ImportStep {
        let parents = parents(job)
        var step = ImportStep(
            kind: "job", name: name, action: .post(path: parents.isEmpty ? "iso8601" : "dependency", .object(job)))
        if !parents.isEmpty {
            step.whyNotDue = "runs after \(parents.sorted().joined(separator: ", "))"
        } else if job["disabled"]?.boolValue == true {
            step.whyNotDue = "disabled"
        } else if let text = job["schedule"]?.stringValue {
            step.schedule = ScheduleText(
                notation: text.hasPrefix("R") ? .iso8601 : .cron, text: text,
                zone: job["scheduleTimeZone"]?.stringValue ?? "", anchor: now)
        }
        if job["executor"]?.stringValue?.isEmpty == false {
            step.notes.append("its executor is a program of Mesos, and is not used")
        }
        return step
    }
}
