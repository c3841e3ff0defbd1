import Domain
import HTTP
import JSON
import Operations
import Timetable

/// `GET jobs` and `GET jobs/search`.
struct JobsResource: Resource {
    /// Jobs read and encoded at once. A longer list is streamed, so that memory does not grow with it.
    static let pageSize = 500
    /// Chronos' default.
    private static let searchLimit = 10
    /// The most that a search may ask for; whoever wants all jobs lists them.
    private static let largestSearch = 10_000

    let jobs: JobOperations
    let encoded: EncodedJobs

    func register(on router: inout HTTPRouter, below tree: String) {
        router.on(.get, "\(tree)/jobs", metadata: leaderOnly, handler: handler(list))
        router.on(.get, "\(tree)/jobs/search", metadata: leaderOnly, handler: handler(search))
    }

    // MARK: List

    private func list(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let first = try await jobs.list(principal, limit: Self.pageSize)
        guard first.count == Self.pageSize else { return .json(bytes: array(of: first)) }
        // An error on a later page cuts the connection: half a list must not look like a list, or tools that
        // synchronise would create again what it lacks.
        let body = HTTPBodyStream { sink in
            var page = first
            var separator: [UInt8] = Array("[".utf8)
            while let last = page.last {
                try await sink.write(separator + encoded.bytes(of: page))
                separator = Array(",".utf8)
                guard page.count == Self.pageSize else { break }
                page = try await jobs.list(principal, after: last.definition.name, limit: Self.pageSize)
            }
            try await sink.write(Array("]".utf8))
        }
        return HTTPResponse(status: 200, headers: ["Content-Type": "application/json"], body: .stream(body))
    }

    private func array(of jobs: [Job]) -> [UInt8] {
        Array("[".utf8) + encoded.bytes(of: jobs) + Array("]".utf8)
    }

    // MARK: Search

    private func search(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        var search = JobSearch(
            limit: try request.number("limit", or: Self.searchLimit), offset: try request.number("offset", or: 0))
        guard search.limit <= Self.largestSearch else {
            throw .invalid("limit must not exceed \(Self.largestSearch); GET jobs lists all jobs")
        }
        // An empty term is part of every text.
        func term(_ name: String) -> String? { request.queryItem(name).flatMap { $0.isEmpty ? nil : $0 } }
        search.name = term("name")
        search.command = term("command")
        search.any = term("any")
        return .json(bytes: array(of: try await jobs.search(principal, search)))
    }
}
