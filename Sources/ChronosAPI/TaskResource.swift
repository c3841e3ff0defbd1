import Domain
import HTTP
import Operations

/// `task/…`: ending what a job runs, and the word of an asynchronous job's run on how it ended.
struct TaskResource: Resource {
    let jobs: JobOperations

    func register(on router: inout HTTPRouter, below tree: String) {
        router.on(.delete, "\(tree)/task/kill/{name}", metadata: leaderOnly, handler: handler(kill))
        router.on(.delete, "\(tree)/task/all", metadata: leaderOnly, handler: handler(dropWaiting))
        router.on(.delete, "\(tree)/task/all/{name}", metadata: leaderOnly, handler: handler(endAll))
        router.on(.put, "\(tree)/task/{id}", metadata: leaderOnly, handler: handler(report))
    }

    private func kill(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        try await jobs.kill(principal, name: request.parameter("name"))
        return Self.done
    }

    /// All that waits, of all jobs; what runs goes on, as it did in 2.x.
    private func dropWaiting(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        try await jobs.dropWaitingRuns(principal)
        return Self.done
    }

    /// All that one job has, running and waiting.
    private func endAll(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        try await jobs.endAll(principal, name: request.parameter("name"))
        return Self.done
    }

    /// A task that nobody waits for any more is 204 as well, as it was in 2.x: the run may have been ended meanwhile,
    /// and a wrapper script that reports twice must not fail for it.
    private func report(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let what = "a report like {\"statusCode\": 0}"
        let body = ChronosBody(try request.jsonObject(what))
        guard let status = try body.strictInteger("statusCode"), let code = Int32(exactly: status) else {
            throw .invalid("statusCode must be a whole number; the body is \(what), where 0 means success")
        }
        do {
            try await jobs.complete(principal, taskID: request.parameter("id"), statusCode: Int(code))
        } catch {
            guard error.code == .notFound else { throw error }
        }
        return Self.done
    }
}
