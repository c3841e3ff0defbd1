import Domain
import HTTP
import Operations

/// `iso8601` and `dependency`: jobs created or replaced by name. PUT means the same as POST, as it did in 2.x.
struct SubmissionResource: Resource {
    let jobs: JobOperations
    let clock: any WallClock

    func register(on router: inout HTTPRouter, below tree: String) {
        for method in [HTTPMethod.post, .put] {
            router.on(
                method, "\(tree)/iso8601", metadata: leaderOnly,
                handler: handler { (request, principal) throws(DomainError) in
                    try await submit(request, principal, as: .scheduled)
                })
            router.on(
                method, "\(tree)/dependency", metadata: leaderOnly,
                handler: handler { (request, principal) throws(DomainError) in
                    try await submit(request, principal, as: .dependent)
                })
        }
    }

    private func submit(
        _ request: HTTPRequest, _ principal: Principal, as kind: ChronosJobCoding.Kind
    ) async throws(DomainError) -> HTTPResponse {
        let object = try request.jsonObject("a job")
        let draft = try ChronosJobCoding.decode(object, as: kind, now: clock.now())
        try ChronosJobCoding.refuseIneffective(draft)
        try await jobs.put(principal, draft)
        return Self.done
    }
}
