import Domain
import Timetable

/// What Chronos' lists say of a job's past and present, each in one word.
struct JobSummary {
    /// How the last run ended: `success`, `failure`, or `fresh` for a job that never ran. Equal instants are a failure.
    let status: String
    /// What it does now: `idle`, `queued`, or `<n> running`.
    let state: String

    init(_ job: Job, _ activity: JobActivity) {
        switch (job.counters.lastSuccess, job.counters.lastError) {
        case (nil, nil): status = "fresh"
        case (.some, nil): status = "success"
        case (nil, .some): status = "failure"
        case (.some(let success), .some(let error)): status = success > error ? "success" : "failure"
        }
        if activity.started > 0 {
            state = "\(activity.started) running"
        } else {
            state = activity.waiting > 0 ? "queued" : "idle"
        }
    }
}

extension Job {
    /// Empty for jobs without parents.
    var parents: [String] {
        guard case .parents(let names) = definition.trigger else { return [] }
        return names
    }
}
