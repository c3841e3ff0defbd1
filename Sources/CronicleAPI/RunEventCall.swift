import Domain
import JSON
import Operations
import Timetable

/// `run_event`: a job now, with whatever is to be different for it.
struct RunEventCall: Sendable {
    let dependencies: CronicleDependencies
    private let rules: EventRules
    private let events: EventCalls

    init(_ dependencies: CronicleDependencies) {
        self.dependencies = dependencies
        rules = EventRules(zones: dependencies.zones)
        events = EventCalls(dependencies)
    }

    var call: Call { Call("run_event", in: .queryThenBody) { try await run($0) } }

    /// What only chooses the event, or belongs to it and not to one job.
    private static let dropped: Set<String> = [
        "id", "title", "session_id", "api_key", "timing", "timezone", "enabled", "created", "modified", "username",
        "cwd", "uid", "gid", "env", "catch_up", "now", "post_data", "callback", "pretty", "queue", "queue_max",
        "stagger", "replay",
    ]

    private func run(_ context: CallContext) async throws -> JSONObject {
        var values = try sent(context)
        let criterion = try EventCalls.criterion(values)
        try rules.check(values)
        let principal = try await context.require(.runEvents)
        let job = try await events.find(criterion)
        let catalogue = try await dependencies.events.catalogue()
        let access = EventAccess(principal, catalogue)
        try access.require(job.definition)
        let now = values["now"].flatMap(ScriptNumber.parseInt)
        for key in Self.dropped { values[key] = nil }
        if principal.limits.runsUnchanged, !principal.has(.admin) { values = [:] }
        if let target = values["target"]?.stringValue {
            try access.require(category: job.definition.shownCategory, target: target)
        }
        if let category = values["category"]?.stringValue {
            try access.require(category: category, target: job.definition.shownTarget)
        }
        var definition = job.definition
        let postData = try self.postData(context)
        if !values.isEmpty || postData != nil {
            definition = changed(job, by: values, postData: postData, catalogue)
        }
        var request = RunRequest(
            context: RunContext(
                definition: definition == job.definition ? nil : definition, source: principal.source,
                postData: postData?.text ?? "", trace: RequestContext.trace))
        request.isRefusedIfBlocked = true
        request.due = now.map { Instant(seconds: EventRules.moment($0)) }
        let report: LaunchReport
        do { report = try await dependencies.events.run(principal, job, request) } catch {
            switch error.code {
            case .conflict, .tooMany: throw CronicleFailure("event", "Failed to launch event: \(error.message)")
            default: throw error
            }
        }
        return try await answer(report, job, principal, context)
    }

    private func answer(
        _ report: LaunchReport, _ job: Job, _ principal: Principal, _ context: CallContext
    ) async throws -> JSONObject {
        var answer: JSONObject = [
            "ids": report.isQueued ? [] : .array(report.runs.map { .string($0.rawValue) })
        ]
        if job.definition.overlap == .queue { answer["queue"] = .integer(Int64(report.waiting)) }
        if report.isQueued { answer["queued_ids"] = .array(report.runs.map { .string($0.rawValue) }) }
        return answer
    }

    // MARK: What was sent

    private func sent(_ context: CallContext) throws -> JSONObject {
        var values = JSONObject()
        for (key, value) in context.parameters.query {
            // Numbers are numbers: a query can say them only as texts.
            Self.set(&values, key, Self.isNumeric(key) ? Self.number(value) : value)
        }
        guard context.parameters.query["post_data"]?.isTruthy != true else { return values }
        for (key, value) in context.parameters.body { Self.set(&values, key, value) }
        return values
    }

    /// The whole body, where the query asks for it to be handed on as it is.
    private func postData(_ context: CallContext) throws -> JSONValue? {
        guard context.parameters.query["post_data"]?.isTruthy == true else { return nil }
        var body = context.parameters.body
        for key in EventRules.credentials { body[key] = nil }
        return .object(body)
    }

    /// `params/script` is the member `script` of `params`.
    private static func set(_ values: inout JSONObject, _ key: String, _ value: JSONValue) {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, Validation.isWord(parts[0]), Validation.isWord(parts[1]) else {
            values[key] = value
            return
        }
        var inner = values[parts[0]]?.objectValue ?? JSONObject()
        inner[parts[1]] = value
        values[parts[0]] = .object(inner)
    }

    private static func isNumeric(_ key: String) -> Bool {
        EventRules.rules.contains { $0.key == key && $0.kind != .text }
    }

    private static func number(_ value: JSONValue) -> JSONValue {
        guard let text = value.stringValue, let number = Int64(text) else { return value }
        return .integer(number)
    }

    // MARK: The job's own definition

    private func changed(
        _ job: Job, by values: JSONObject, postData: JSONValue?, _ catalogue: Catalogue
    ) -> JobDefinition {
        var definition = job.definition
        var typed = values
        typed["params"] = nil
        EventCoding.apply(typed, to: &definition, now: dependencies.clock.now())
        definition.trigger = job.definition.trigger
        definition.title = job.definition.title
        let plugin = catalogue.plugins[definition.plugin.isEmpty ? EventShape.shell : definition.plugin]
        // Parameters that are not said come from the event, as far as the plugin has them.
        var params = values["params"]?.objectValue ?? JSONObject()
        let own = EventShape(job).params
        for parameter in plugin?.parameterDefinitions ?? [] {
            guard let id = parameter["id"]?.stringValue, params[id] == nil, let value = own[id] else { continue }
            params[id] = value
        }
        params["post_data"] = postData
        definition.pluginParameters = JSONValue.object(params).text
        if definition.plugin.isEmpty, values["params"] != nil { definition.plugin = EventShape.shell }
        var kept = EventShape.kept(job.definition)
        for (key, value) in typed { kept[key] = value }
        definition.dialectFields = EventShape.keeping(kept, in: definition)
        return definition
    }
}
