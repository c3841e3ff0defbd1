import Domain
import HTTP
import JSON
import Operations
import Timetable

/// `jobs/summary`, `graph/dot` and `graph/csv`: all jobs in a few words each, and how they depend on each other.
struct GraphResource: Resource {
    let jobs: JobOperations
    let zones: any ZoneDatabase

    func register(on router: inout HTTPRouter, below tree: String) {
        router.on(.get, "\(tree)/jobs/summary", metadata: leaderOnly, handler: handler(summary))
        router.on(.get, "\(tree)/graph/dot", metadata: leaderOnly, handler: handler(dot))
        router.on(.get, "\(tree)/graph/csv", metadata: leaderOnly, handler: handler(csv))
    }

    // MARK: Summary

    private func summary(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let activity = try await jobs.activity(principal)
        var writer = JSONWriter(reserving: 65_536)
        writer.beginObject()
        writer.key("jobs")
        writer.beginArray()
        try await forEachJob(principal) { job in
            let summary = JobSummary(job, activity[job.id] ?? .idle)
            writer.beginObject()
            writer.key("name")
            writer.string(job.definition.name)
            writer.key("status")
            writer.string(summary.status)
            writer.key("state")
            writer.string(summary.state)
            writer.key("schedule")
            writer.string(ChronosJobCoding.shownSchedule(of: job, zones: zones)?.text ?? "")
            writer.key("parents")
            writer.value(.array(job.parents.map(JSONValue.string)))
            writer.key("disabled")
            writer.bool(!job.isEnabled)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return .json(bytes: writer.bytes)
    }

    // MARK: Graphs

    /// Jobs are numbered from 1, in the order of their names.
    private func dot(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        var numbers: [String: Int] = [:]
        var edges: [(parent: String, child: Int)] = []
        var text = "digraph G {\n"
        try await forEachJob(principal) { job in
            let number = numbers.count + 1
            numbers[job.definition.name] = number
            // Names hold neither quotes nor backslashes nor commas.
            text += "  \(number) [ label=\"\(Self.onOneLine(job.definition.name))\" ];\n"
            edges += job.parents.map { ($0, number) }
        }
        for edge in edges {
            // A parent that was created after its page had been read is missing; so is then its edge.
            guard let parent = numbers[edge.parent] else { continue }
            text += "  \(parent) -> \(edge.child);\n"
        }
        return .text(text + "}\n")
    }

    private func csv(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let activity = try await jobs.activity(principal)
        var nodes = ""
        var links = ""
        try await forEachJob(principal) { job in
            let summary = JobSummary(job, activity[job.id] ?? .idle)
            let name = Self.onOneLine(job.definition.name)
            nodes += "node,\(name),\(summary.status),\(summary.state)\n"
            for parent in job.parents { links += "link,\(Self.onOneLine(parent)),\(name)\n" }
        }
        return .text(nodes + links)
    }

    /// A name may hold line feeds and the like; to a reader of lines it must not.
    private static func onOneLine(_ name: String) -> String {
        String(decoding: name.utf8.map { (0x09...0x0D).contains($0) ? 0x20 : $0 }, as: UTF8.self)
    }

    /// All jobs by name; only a page of definitions is in memory at a time.
    private func forEachJob(_ principal: Principal, _ body: (Job) -> Void) async throws(DomainError) {
        var last: String?
        while true {
            let page = try await jobs.list(principal, after: last, limit: JobsResource.pageSize)
            for job in page { body(job) }
            guard page.count == JobsResource.pageSize else { return }
            last = page.last?.definition.name
        }
    }
}
