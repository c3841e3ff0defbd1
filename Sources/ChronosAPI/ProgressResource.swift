import Domain
import HTTP
import Operations

/// `job/{name}/task/{taskId}/progress`: what a task of a data job says that it has processed. PUT means the same.
struct ProgressResource: Resource {
    let jobs: JobOperations
    let clock: any WallClock

    func register(on router: inout HTTPRouter, below tree: String) {
        for method in [HTTPMethod.post, .put] {
            router.on(
                method, "\(tree)/job/{name}/task/{id}/progress", metadata: leaderOnly, handler: handler(add))
        }
    }

    /// An absent number adds nothing, as with Chronos.
    private func add(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let body = ChronosBody(try request.jsonObject("progress like {\"numAdditionalElementsProcessed\": 5}"))
        let count = try body.strictInteger("numAdditionalElementsProcessed") ?? 0
        let job = try await jobs.job(principal, named: request.parameter("name"))
        guard ChronosFields(text: job.definition.dialectFields).dataProcessingJobType else {
            throw .invalid(
                "Job \(quoted(job.definition.name)) is no data job: post it with dataProcessingJobType true first")
        }
        try await jobs.addProgress(
            principal, job: job, taskID: request.parameter("id"), count: count, at: clock.now())
        return Self.done
    }
}
