import Domain
import HTTP
import JSON
import Operations
import Timetable

/// Answers of `get_schedule` and `get_event` as text. Pages ask for the same lists again and again; what has not
/// changed is neither read nor written anew.
struct EventListing: Sendable {
    /// Events of an answer that is made at once and kept. A longer one is written piece by piece, so that neither
    /// memory nor the time of others' requests grows with it.
    private static let atOnce = 2_000
    private static let piece = 500
    /// Bytes of lists that are kept.
    private static let keptBytes = 8 * 1_024 * 1_024

    private let events: EventOperations
    private let pages: VouchedCache<Span, [UInt8]>
    /// What callers may see, by what limits them.
    private let selections: VouchedCache<AccessLimits, JobSelection>
    private static let keptSelections = 256
    private let encoded = EncodedEvents()

    private struct Span: Hashable {
        let offset: Int
        /// 0: all.
        let limit: Int
        /// Nil: of all events.
        let selection: JobSelection?
    }

    init(_ events: EventOperations) {
        self.events = events
        pages = events.cache(Span.self, [UInt8].self, limit: Self.keptBytes)
        selections = events.cache(AccessLimits.self, JobSelection.self, limit: Self.keptSelections)
    }

    /// Of which events a caller is told; nil: of all.
    func selection(for principal: Principal) async throws -> JobSelection? {
        guard !principal.seesAll else { return nil }
        let ticket = selections.ticket()
        if let known = selections.value(for: principal.limits, ticket) { return known }
        let access = EventAccess(principal, try await events.catalogue())
        let selection = access.selection(of: try await events.places())
        selections.keep(selection, for: principal.limits, ticket)
        return selection
    }

    // MARK: One

    /// - Parameter activity: what is told besides the event.
    func text(of job: Job, with activity: JSONObject) -> Call.Answer {
        let event = encoded.bytes(of: job)
        var answer: [UInt8] = []
        answer.reserveCapacity(event.count + 32)
        answer += "{\"code\":0,\"event\":".utf8
        answer += event
        for (key, value) in activity {
            answer += ",\"\(key)\":".utf8
            answer += value.serialized()
        }
        answer += "}\n".utf8
        return .text(answer)
    }

    // MARK: Many

    /// An answer of all events that need not be made.
    func known(offset: Int, limit: Int) -> [UInt8]? {
        pages.value(for: Span(offset: offset, limit: limit, selection: nil))
    }

    /// - Parameters:
    ///   - limit: 0: all.
    ///   - selection: nil: of all events.
    func text(offset: Int, limit: Int, of selection: JobSelection?) async throws -> Call.Answer {
        let span = Span(offset: offset, limit: limit, selection: selection)
        let ticket = pages.ticket()
        if let known = pages.value(for: span, ticket) { return .text(known) }
        let count = try await count(of: selection)
        let end = Self.end(count)
        let rest = max(0, Int(clamping: count) - offset)
        let wanted = limit == 0 ? rest : min(limit, rest)
        guard wanted <= Self.atOnce else {
            let first = try await events.jobs(offset: offset, limit: Self.piece, of: selection)
            return .response(stream(first: first, wanted: wanted, of: selection, end: end))
        }
        var answer = Self.begin
        let jobs = wanted == 0 ? [] : try await events.jobs(offset: offset, limit: wanted, of: selection)
        append(jobs, to: &answer) { encoded.bytes(of: $0) }
        answer += end
        pages.keep(answer, for: span, weight: answer.count, ticket)
        return .text(answer)
    }

    func count(of selection: JobSelection?) async throws -> Int64 {
        if let selection { return selection.count }
        return try await events.count()
    }

    private static let begin = Array("{\"code\":0,\"rows\":[".utf8)

    private static func end(_ count: Int64) -> [UInt8] {
        Array("],\"list\":\(Page.header(count: count).text)}\n".utf8)
    }

    private func append(_ jobs: [Job], to bytes: inout [UInt8], encoded: (Job) -> [UInt8]) {
        let typicalSize = 768
        bytes.reserveCapacity(bytes.count + jobs.count * typicalSize)
        for (position, job) in jobs.enumerated() {
            if position > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += encoded(job)
        }
    }

    /// An error on the way cuts the connection: half a list must not look like a list.
    private func stream(first: [Job], wanted: Int, of selection: JobSelection?, end: [UInt8]) -> HTTPResponse {
        let body = HTTPBodyStream { sink in
            var jobs = first
            var text = Self.begin
            var left = wanted
            while let last = jobs.last {
                append(jobs, to: &text) { JSONValue.object(EventShape($0).object).serialized() }
                try await sink.write(text)
                text = Array(",".utf8)
                left -= jobs.count
                guard jobs.count == Self.piece, left > 0 else { break }
                jobs = try await events.jobs(olderThan: last, limit: min(left, Self.piece), of: selection)
            }
            try await sink.write(end)
        }
        return HTTPResponse(status: 200, headers: ["Content-Type": "application/json"], body: .stream(body))
    }
}
