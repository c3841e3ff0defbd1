// Import: jobs of other schedulers, made into jobs of this cluster over its API.
//
// Each source (`CronicleExport`, `ChronosList`, `Crontab`) is a pure function from a text to an `ImportPlan`: what is
// to be sent, when it will be due, and what cannot be taken over and why. `ImportRun` sends the plan, step by step, and
// reports. With --dry-run nothing is sent.
//
// Invariants
// - Nothing is left out silently: what is not imported is named with its reason, and the exit status is 1.
// - An import can be repeated: what is there already under the same identity is replaced by what the file says.

import Domain
import JSON
import Runtime
import Timetable

/// What an import will do.
struct ImportPlan: Sendable, Equatable {
    var steps: [ImportStep] = []
    /// What cannot be taken over, with the reason.
    var refusals: [Refusal] = []
    /// What the operator should know of the whole.
    var notes: [String] = []

    struct Refusal: Sendable, Equatable {
        var what: String
        var why: String
    }

    mutating func refuse(_ what: String, _ why: String) { refusals.append(Refusal(what: what, why: why)) }
}

/// One thing that is imported.
struct ImportStep: Sendable, Equatable {
    enum Action: Sendable, Equatable {
        /// A job, posted to the Chronos dialect, which adds or replaces it.
        case post(path: String, JSONValue)
        /// Something of the Cronicle dialect: `create_NAME`, or `update_NAME` where its identifier is known.
        case item(name: String, id: String, JSONValue)
        /// A user, written into the database.
        case user(User)
    }

    var kind: String
    var name: String
    var action: Action
    /// Nil: it is due by no schedule, for the reason given.
    var schedule: ScheduleText?
    var whyNotDue = ""
    var notes: [String] = []

    var title: String { "\(kind) '\(name)'" }
}

/// The next instants at which something is due.
enum DueInstants {
    static let shown = 10

    /// - Throws: `ScheduleError` with a message that says what would be right.
    static func of(
        _ text: ScheduleText, after now: Instant, zones: any ZoneDatabase
    ) throws(ScheduleError) -> [Instant] {
        let schedule = try text.schedule(zones: zones)
        var instants: [Instant] = []
        var last = now
        while instants.count < shown, let next = schedule.next(after: last) {
            instants.append(next.due)
            last = next.due
        }
        return instants
    }
}
