import Domain
import HTTP
import JSON
import Node
import Runtime
import Timetable

/// Sends a plan and tells what has become of it.
struct ImportRun: Sendable {
    struct Line: Sendable, Equatable {
        var what: String
        /// Nil: it was imported, or would be.
        var failure: String?
        var details: [String]
    }

    struct Report: Sendable {
        var lines: [Line] = []
        var notes: [String] = []
        var isDry = false

        var failures: Int { lines.count { $0.failure != nil } }

        var text: String {
            var rows: [String] = []
            for line in lines {
                if let failure = line.failure {
                    rows.append("NOT imported: \(line.what): \(failure)")
                } else {
                    rows.append("\(isDry ? "would import" : "imported") \(line.what)")
                }
                rows += line.details.map { "    \($0)" }
            }
            rows += notes.map { "note: \($0)" }
            rows.append("\(lines.count - failures) \(isDry ? "would be imported" : "imported"), \(failures) not")
            return rows.map { Table.safe($0) }.joined(separator: "\n")
        }

        var json: JSONValue {
            [
                "dryRun": .bool(isDry), "imported": .integer(Int64(lines.count - failures)),
                "failed": .integer(Int64(failures)), "notes": .array(notes.map { .string($0) }),
                "items": .array(
                    lines.map { line in
                        [
                            "what": .string(line.what), "error": line.failure.map { .string($0) } ?? .null,
                            "details": .array(line.details.map { .string($0) }),
                        ]
                    }),
            ]
        }
    }

    let plan: ImportPlan
    let isDry: Bool
    let now: Instant
    let zones: any ZoneDatabase
    /// Nil with a dry run.
    let client: APIClient?
    /// Nil without a database.
    let storeUser: (@Sendable (User) async throws -> Void)?

    func perform() async throws -> Report {
        var report = Report(notes: plan.notes, isDry: isDry)
        let known = isDry ? [:] : try await knownItems()
        for step in plan.steps {
            var line = Line(what: step.title, failure: nil, details: step.notes)
            line.details += dueLines(of: step, &line.failure)
            if line.failure == nil, !isDry { line.failure = try await send(step, known) }
            report.lines.append(line)
        }
        for refusal in plan.refusals {
            report.lines.append(Line(what: refusal.what, failure: refusal.why, details: []))
        }
        return report
    }

    /// What is wrong with its schedule is a reason not to send it.
    private func dueLines(of step: ImportStep, _ failure: inout String?) -> [String] {
        if isDry, case .user = step.action, storeUser == nil { failure = Self.needsDatabase }
        guard let schedule = step.schedule else { return step.whyNotDue.isEmpty ? [] : [step.whyNotDue] }
        do throws(ScheduleError) {
            let due = try DueInstants.of(schedule, after: now, zones: zones)
            guard !due.isEmpty else { return ["never due again"] }
            return ["due " + due.map(\.iso8601).joined(separator: ", ")]
        } catch {
            failure = error.message
            return []
        }
    }

    private static let needsDatabase =
        "users are written into the database: name it with --database-url (they keep their passwords)"

    // MARK: Sending

    private static let listings = [
        ("category", "get_categories"), ("server_group", "get_server_groups"), ("plugin", "get_plugins"),
    ]

    /// Identifiers that are there, by kind. Events are asked for one by one.
    private func knownItems() async throws -> [String: Set<String>] {
        var known: [String: Set<String>] = [:]
        let kinds = Set(
            plan.steps.compactMap { step -> String? in
                if case .item(let name, _, _) = step.action { return name }
                return nil
            })
        for (name, call) in Self.listings where kinds.contains(name) {
            let answer = try await self.call(call, [:])
            known[name] = Set((answer["rows"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue })
        }
        return known
    }

    /// - Returns: why it was refused.
    private func send(_ step: ImportStep, _ known: [String: Set<String>]) async throws -> String? {
        guard let client else { return nil }
        switch step.action {
        case .post(let path, let body):
            do { _ = try await client.send(.post, "/v1/scheduler/" + path, body: body.serialized()) } catch {
                guard let failure = error as? APIClient.Failure, let status = failure.status, status < 500,
                    status != 401
                else { throw error }
                return failure.message
            }
            return nil
        case .item(let name, let id, let body):
            var exists = known[name]?.contains(id) ?? false
            if name == "event" { exists = try await call("get_event", ["id": .string(id)])["code"] == 0 }
            let answer = try await call("\(exists ? "update" : "create")_\(name)", body)
            return answer["code"] == 0 ? nil : answer["description"]?.stringValue ?? answer.text
        case .user(let user):
            guard let storeUser else { return Self.needsDatabase }
            do { try await storeUser(user) } catch let error as DomainError { return error.message }
            return nil
        }
    }

    private func call(_ name: String, _ body: JSONValue) async throws -> JSONValue {
        guard let client else { return [:] }
        let answer = try await client.json(.post, "/api/app/\(name)/v1", body: body.serialized())
        // Without a right to ask, nothing else will be granted either.
        if answer["code"] == "session" || name == "get_categories", answer["code"] != 0 {
            throw APIClient.Failure(
                status: nil,
                message: "\(name): \(answer["description"]?.stringValue ?? answer.text). "
                    + "A key is given by --key or CARILLON_API_KEY")
        }
        return answer
    }
}
