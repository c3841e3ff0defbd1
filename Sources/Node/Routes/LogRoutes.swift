import Domain
import HTTP
import HTTPTransport
import Operations
import Runtime
import Synchronization

/// `GET /carillon/v1/runs/{id}/log`: the log of a run, from any node.
///
/// - Plain text; compressed as it is stored, where that is one piece and the client accepts gzip; or as a file with
///   `?format=gzip`, which has a gzip member for each piece.
/// - `?attempt=N`: one try only. `?from=TRY:BYTES`: from a position on.
/// - `?follow=1`: goes on until the run has ended. As plain text in chunks, or, where the client accepts
///   `text/event-stream` (or says `?format=events`), as server-sent events: each has whole lines of the log and a
///   position as its id, from which a browser goes on by itself after a broken connection (`Last-Event-ID`); the last
///   event is `end`, with the state of the run as its data.
struct LogRoutes: Sendable {
    let logs: any RunLogReading
    let access: LimitedAccess
    let log: Log

    func register(on router: inout HTTPRouter) {
        let anywhere = RouteMetadata(audience: .anyNode, isForLimited: true, tag: "management")
        router.on(.get, ManagementRoutes.prefix + "/runs/{id}/log", metadata: anywhere) { request in
            do throws(DomainError) { return try await answer(request) } catch {
                return RequestPipeline.errorResponse(error, path: ManagementRoutes.prefix)
            }
        }
    }

    private enum Format: String, CaseIterable { case text, gzip, events }

    private func answer(_ request: HTTPRequest) async throws(DomainError) -> HTTPResponse {
        var query = RunLogQuery(run: RunID(request.pathParameters["id"] ?? ""))
        if let text = request.queryItem("attempt") {
            guard let number = Int32(text), number >= 0 else {
                throw .invalid("attempt must be the number of a try, from 0")
            }
            query.attempt = Int(number)
        }
        if let text = request.headers["Last-Event-ID"] ?? request.queryItem("from"), !text.isEmpty {
            guard let position = RunLogPosition(text: text) else {
                throw .invalid("from must be a position such as 0:4096: a try, and bytes of its log")
            }
            query.position = position
        }
        query.follows = ["1", "true"].contains(request.queryItem("follow") ?? "")
        let format = try format(request)
        guard let status = try await logs.status(of: query.run) else { throw .notFound("run '\(query.run)' not found") }
        try await access.require(status.run)
        var response = HTTPResponse(
            status: 200,
            headers: [
                "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding",
                "X-Carillon-Log-Complete": status.isComplete ? "true" : "false",
            ])
        switch format {
        case .events:
            query.follows = true
            response.headers["Content-Type"] = "text/event-stream"
            response.body = events(query)
            return response
        case .gzip:
            query.coding = .gzip
            response.headers["Content-Type"] = "application/gzip"
            response.headers["Content-Disposition"] = "attachment; filename=\"carillon-\(status.run.id).log.gz\""
        case .text:
            if request.queryItem("download") != nil {
                response.headers["Content-Disposition"] = "attachment; filename=\"carillon-\(status.run.id).log\""
            }
            // Who follows a log wants to see it at once, which a client that expands it may not show.
            if !query.follows, Self.isOneMember(query, status),
                ContentCoding.acceptsGzip(request.headers.all("Accept-Encoding"))
            {
                query.coding = .gzip
                response.headers["Content-Encoding"] = "gzip"
            }
        }
        response.body = text(query)
        return response
    }

    /// What is stored as one piece passes as it is. Several one after the other are gzip as well, but clients as
    /// widespread as curl take the end of the first one for the end of the body.
    private static func isOneMember(_ query: RunLogQuery, _ status: RunLogStatus) -> Bool {
        guard status.isComplete, query.position.bytes == 0 else { return false }
        if let attempt = query.attempt { return status.stored.contains(attempt) }
        return status.run.attempt == query.position.attempt && status.stored.contains(status.run.attempt)
    }

    private func format(_ request: HTTPRequest) throws(DomainError) -> Format {
        guard let text = request.queryItem("format") else {
            let accepted = request.headers.all("Accept").joined(separator: ",").lowercased()
            return accepted.contains("text/event-stream") ? .events : .text
        }
        guard let format = Format(rawValue: text) else { throw .invalid("format must be text, gzip or events") }
        return format
    }

    private func text(_ query: RunLogQuery) -> HTTPResponseBody {
        .stream(
            HTTPBodyStream { sink in
                try await logs.read(query) { chunk in
                    if !chunk.bytes.isEmpty { try await sink.write(chunk.bytes) }
                }
            })
    }

    private func events(_ query: RunLogQuery) -> HTTPResponseBody {
        .stream(
            HTTPBodyStream { sink in
                let encoder = Mutex(LogEventEncoder())
                // At once, so that the client knows that it is connected.
                try await sink.write(LogEventEncoder.comment)
                try await logs.read(query) { chunk in
                    let bytes = encoder.withLock { $0.encode(chunk) }
                    if !bytes.isEmpty { try await sink.write(bytes) }
                }
                let state = try await logs.status(of: query.run)?.run.state.rawValue ?? ""
                try await sink.write(encoder.withLock { $0.end(state: state) })
            })
    }
}
