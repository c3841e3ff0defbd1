import Domain
import HTTP
import JSON
import Operations
import Timetable

/// Events: reading, creating, updating, deleting, running (cronicle.md §1.10).
struct EventCalls: Sendable {
    let dependencies: CronicleDependencies
    private let rules: EventRules
    private let listing: EventListing

    init(_ dependencies: CronicleDependencies) {
        self.dependencies = dependencies
        rules = EventRules(zones: dependencies.zones)
        listing = EventListing(dependencies.events)
    }

    var events: EventOperations { dependencies.events }

    var all: [Call] {
        [
            Call(raw: "get_schedule", .leader, in: .bodyThenQuery) { try await schedule($0) },
            Call(raw: "get_event", .leader, in: .bodyThenQuery) { try await read($0) },
            Call("create_event") { try await create($0) },
            Call("update_event") { try await update($0) },
            Call("delete_event") { try await delete($0) },
            Call("flush_event_queue") { try await flush($0) },
        ]
    }

    /// The default is the documented one; 0 is all of them, as clients know it.
    static let defaultLimit = 50

    // MARK: Reading

    private func schedule(_ context: CallContext) async throws -> Call.Answer {
        let principal = try await context.authenticate()
        let start = context.integer("offset") ?? 0
        let asked = context.values["limit"] == nil ? Self.defaultLimit : context.integer("limit") ?? 0
        let isPlain = context.isPlain && start >= 0 && asked >= 0
        if isPlain, principal.seesAll, let known = listing.known(offset: start, limit: asked) { return .text(known) }
        let selection = try await listing.selection(for: principal)
        if isPlain { return try await listing.text(offset: start, limit: asked, of: selection) }
        let count = try await listing.count(of: selection)
        let end = start.addingReportingOverflow(asked).partialValue
        let range = ScriptSlice.range(start, asked == 0 ? nil : end, of: Int(clamping: count))
        let jobs =
            range.isEmpty ? [] : try await events.jobs(offset: range.lowerBound, limit: range.count, of: selection)
        return .object([
            "rows": .array(jobs.map { .object(EventShape($0).object) }), "list": Page.header(count: count),
        ])
    }

    private func read(_ context: CallContext) async throws -> Call.Answer {
        let criterion = try Self.criterion(context.values)
        let principal = try await context.authenticate()
        let job: Job
        if case .id(let id) = criterion, let known = events.known(id) {
            job = known
        } else {
            job = try await find(criterion)
        }
        if !principal.seesAll {
            try EventAccess(principal, try await events.catalogue()).require(job.definition)
        }
        var activity = JSONObject()
        let all = try await dependencies.runs.active(of: job.id)
        // What waits in the queue is counted; what runs, or will without being let in, is shown.
        let active = all.filter { !$0.waitsInQueue }
        if job.definition.overlap == .queue { activity["queue"] = .integer(Int64(all.count - active.count)) }
        if !active.isEmpty {
            let shapes = try await JobShapes(dependencies)
            activity["jobs"] = .array(active.map { .object(shapes.object($0)) })
        }
        if context.isPlain { return listing.text(of: job, with: activity) }
        var answer: JSONObject = ["event": .object(EventShape(job).object)]
        for (key, value) in activity { answer[key] = value }
        return .object(answer)
    }

    enum Criterion {
        case id(String)
        case title(String)

        var text: String {
            switch self {
            case .id(let text), .title(let text): text
            }
        }
    }

    static func criterion(_ values: JSONObject) throws(CronicleFailure) -> Criterion {
        if let id = values["id"], id.isTruthy { return .id(id.scriptText) }
        if let title = values["title"], title.isTruthy { return .title(title.scriptText) }
        throw CronicleFailure("event", "Failed to locate event: No criteria specified")
    }

    func find(_ criterion: Criterion) async throws -> Job {
        let found =
            switch criterion {
            case .id(let id): try await events.job(id)
            case .title(let title): try await events.job(titled: title)
            }
        guard let found else { throw CronicleFailure("event", "Failed to locate event: \(criterion.text)") }
        return found
    }

    // MARK: Creating

    private func create(_ context: CallContext) async throws -> JSONObject {
        var values = context.values
        try Validation.require(values, EventRules.required)
        try rules.check(values)
        let principal = try await context.require(.createEvents)
        for key in EventRules.credentials.union(EventRules.launchContext) { values[key] = nil }
        let catalogue = try await events.catalogue()
        try EventAccess(principal, catalogue).require(
            category: values["category"]?.scriptText ?? "", target: values["target"]?.scriptText ?? "")
        try check(values, in: catalogue, "create", of: nil)
        let id = values["id"]?.stringValue.map { $0.lowercased() }
        for key in ["id", "created", "modified"] { values[key] = nil }
        Self.fillIn(&values)
        for (key, value) in principal.signature { values[key] = .string(value) }
        let now = dependencies.clock.now()
        var definition = EventCoding.blank(named: "")
        EventCoding.apply(values, to: &definition, now: now)
        values["params"] = nil
        definition.dialectFields = EventShape.keeping(values, in: definition)
        let isEnabled = values["enabled"]?.isTruthy ?? false
        let job: Job
        do {
            job = try await events.create(principal, definition, isEnabled: isEnabled, id: id)
        } catch {
            guard error.code == .conflict else { throw error }
            if let id, try await isThere(id, definition, isEnabled: isEnabled) { return ["id": .string(id)] }
            throw CronicleFailure("event", "Failed to create event: \(error.message)")
        }
        await note("event_create", principal, context, job)
        return ["id": .string(job.id.rawValue)]
    }

    /// Whether this very event exists: who has not got the answer sends it again.
    private func isThere(_ id: String, _ definition: JobDefinition, isEnabled: Bool) async throws -> Bool {
        guard let job = try await events.job(id), job.isEnabled == isEnabled else { return false }
        var wanted = definition
        // Chosen when the event was made, as is the instant from which its schedule counts.
        wanted.name = job.definition.name
        if case .schedule(var schedule) = wanted.trigger, case .schedule(let known) = job.definition.trigger {
            schedule.anchor = known.anchor
            wanted.trigger = .schedule(schedule)
        }
        return wanted == job.definition
    }

    /// What Cronicle writes where nothing, or nothing of use, was sent.
    private static func fillIn(_ values: inout JSONObject) {
        for key in ["max_children", "timeout"] where values[key]?.isTruthy != true { values[key] = 0 }
        if values["timezone"]?.isTruthy != true { values["timezone"] = "UTC" }
        if values["params"]?.isTruthy != true { values["params"] = [:] }
    }

    /// What the event refers to, in Cronicle's order: plugin, its parameters, category.
    private func check(
        _ values: JSONObject, in catalogue: Catalogue, _ deed: String, of former: EventShape?
    ) throws(CronicleFailure) {
        let id = values["plugin"]?.stringValue ?? former?.value(of: "plugin").scriptText ?? ""
        if let plugin = catalogue.plugins[id] {
            if let params = values["params"] { try EventRules.check(params: params, of: plugin) }
        } else if values["plugin"] != nil {
            throw CronicleFailure("event", "Failed to \(deed) event: Plugin not found: \(id)")
        }
        if let id = values["category"]?.stringValue, catalogue.categories[id] == nil {
            throw CronicleFailure("event", "Failed to \(deed) event: Category not found: \(id)")
        }
    }

    // MARK: Updating

    private func update(_ context: CallContext) async throws -> JSONObject {
        var values = context.values
        try Validation.require(values, [("id", Validation.isWord)])
        try rules.check(values)
        let principal = try await context.require(.editEvents)
        let aborts = values["abort_jobs"]?.isTruthy ?? false
        if aborts { try principal.requireAsCronicle(.abortEvents) }
        let job = try await find(.id(context.text("id") ?? ""))
        let catalogue = try await events.catalogue()
        var options = PutOptions()
        if let cursor = values["reset_cursor"], cursor.isTruthy, let seconds = ScriptNumber.parseInt(cursor) {
            let moment = EventRules.moment(seconds)
            options.cursor = Instant(seconds: moment - moment % 60)
        }
        let dropped = EventRules.credentials.union(EventRules.launchContext)
        for key in dropped.union(["id", "modified", "reset_cursor", "abort_jobs"]) { values[key] = nil }
        let shape = EventShape(job)
        try check(values, in: catalogue, "update", of: shape)
        let access = EventAccess(principal, catalogue)
        try access.require(job.definition)
        try access.require(
            category: values["category"]?.stringValue ?? job.definition.shownCategory,
            target: values["target"]?.stringValue ?? job.definition.shownTarget)
        let (definition, isEnabled) = changed(job, by: values, shape)
        if aborts, !isEnabled { options.abortReason = "Event '\(definition.displayTitle)' has been disabled." }
        let stored = try await events.update(principal, job, definition, isEnabled: isEnabled, options: options)
        await note("event_update", principal, context, stored)
        return [:]
    }

    /// The job with the values in place of its own. A value that says what is shown already changes nothing, so that a
    /// client that sends back what it has read does not turn a job of the other dialect into one of this.
    private func changed(_ job: Job, by values: JSONObject, _ shape: EventShape) -> (JobDefinition, Bool) {
        var definition = job.definition
        let shown = shape.object
        var different = JSONObject()
        for (key, value) in values where !EventShape.shownOnly.contains(key) {
            // A command is shown as a script, whatever else has been said of the job in this dialect.
            let isDerived = shape.isForeign || definition.plugin.isEmpty && ["plugin", "params"].contains(key)
            if !isDerived || shown[key] != value { different[key] = value }
        }
        // A script for a job that has a command makes it a job of the shell plugin.
        if definition.plugin.isEmpty, different["params"] != nil, different["plugin"] == nil {
            different["plugin"] = .string(EventShape.shell)
        }
        var applied = different
        // An event without timing keeps the zone that it was given for the next one.
        if case .manual = job.definition.trigger, applied["timing"] != nil, applied["timezone"] == nil {
            applied["timezone"] = shown["timezone"]
        }
        EventCoding.apply(applied, to: &definition, now: dependencies.clock.now())
        if case .schedule(let before) = job.definition.trigger, case .schedule(var after) = definition.trigger,
            before.notation == after.notation
        {
            after.anchor = before.anchor
            definition.trigger = .schedule(after)
        }
        if let title = different["title"]?.stringValue, title != job.definition.displayTitle {
            definition.title = title
        }
        var kept = EventShape.kept(job.definition)
        for (key, value) in different where key != "params" { kept[key] = value }
        definition.dialectFields = EventShape.keeping(kept, in: definition)
        return (definition, values["enabled"].map(\.isTruthy) ?? job.isEnabled)
    }

    // MARK: Deleting

    private func delete(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.require(.deleteEvents)
        let job = try await find(.id(context.text("id") ?? ""))
        try EventAccess(principal, try await events.catalogue()).require(job.definition)
        let deletion: JobDeletion
        do { deletion = try await events.delete(principal, job) } catch {
            guard error.code == .conflict else { throw error }
            throw CronicleFailure("event", "Failed to delete event: Still has running jobs")
        }
        var entry: JSONObject = ["event": .object(EventShape(job).object)]
        if !deletion.orphans.isEmpty { entry["orphans"] = .array(deletion.orphans.map(JSONValue.string)) }
        await dependencies.activity.record("event_delete", by: principal, from: context.request.remoteAddress, entry)
        return [:]
    }

    private func flush(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.require(.abortEvents)
        let job = try await find(.id(context.text("id") ?? ""))
        try EventAccess(principal, try await events.catalogue()).require(job.definition)
        _ = try await events.flushQueue(principal, job)
        return [:]
    }

    private func note(_ action: String, _ principal: Principal, _ context: CallContext, _ job: Job) async {
        await dependencies.activity.record(
            action, by: principal, from: context.request.remoteAddress, ["event": .object(EventShape(job).object)])
    }
}

/// JavaScript's `slice`.
enum ScriptSlice {
    static func range(_ start: Int, _ end: Int?, of count: Int) -> Range<Int> {
        let first = start < 0 ? max(0, count + max(start, -count)) : min(start, count)
        guard let end else { return first..<count }
        let last = end < 0 ? max(0, count + max(end, -count)) : min(end, count)
        return first..<max(first, last)
    }
}
