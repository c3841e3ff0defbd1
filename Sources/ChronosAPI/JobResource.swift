import Domain
import HTTP
import JSON
import Operations
import Timetable

/// `job/{name}`: reading, running, deleting, and marking as successful.
struct JobResource: Resource {
    let jobs: JobOperations
    let encoded: EncodedJobs
    let activity: any ActivityRecording

    func register(on router: inout HTTPRouter, below tree: String) {
        router.on(.get, "\(tree)/job/{name}", metadata: leaderOnly, handler: handler(read))
        router.on(.put, "\(tree)/job/{name}", metadata: leaderOnly, handler: handler(run))
        router.on(.delete, "\(tree)/job/{name}", metadata: leaderOnly, handler: handler(delete))
        router.on(.put, "\(tree)/job/success/{name}", metadata: leaderOnly, handler: handler(markSuccess))
    }

    private func read(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let job = try await jobs.job(principal, named: request.parameter("name"))
        var response = HTTPResponse.json(bytes: encoded.bytes(of: job))
        response.headers[EntityTag.header] = EntityTag.text(of: job)
        return response
    }

    /// A body, if there is one, means nothing: `curl -X PUT -d ''` is common.
    private func run(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let arguments = request.queryItem("arguments") ?? ""
        let isBlank = arguments.allSatisfy(\.isWhitespace)
        try await jobs.run(principal, name: request.parameter("name"), arguments: isBlank ? "" : arguments)
        return Self.done
    }

    private func delete(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let deletion = try await jobs.delete(principal, name: request.parameter("name"))
        var entry: JSONObject = ["event": .event(deletion.id, deletion.name)]
        if !deletion.orphans.isEmpty { entry["orphans"] = .array(deletion.orphans.map(JSONValue.string)) }
        await activity.record("event_delete", by: principal, from: request.remoteAddress, entry)
        return Self.done
    }

    /// The documented answer is a boolean. It is never `false`: what cannot be done is an error that says why.
    private func markSuccess(
        _ request: HTTPRequest, _ principal: Principal
    ) async throws(DomainError) -> HTTPResponse {
        try await jobs.markSuccess(principal, name: request.parameter("name"))
        return .json(true)
    }
}

extension JSONValue {
    /// What an entry of activity says of a job, in the words of the other dialect, which lists the entries.
    static func event(_ id: JobID, _ name: String) -> JSONValue {
        ["id": .string(id.description), "title": .string(name)]
    }
}
