public import Domain
import JSON
import Timetable

// Registration, signs of life and reports: worker to node.
extension WorkerMessageCoding {
    public static func encode(_ worker: WorkerDescription) -> [UInt8] {
        object { writer in
            writer.member("name", worker.name)
            writer.member("url", worker.url)
            writer.member("boot", worker.boot)
            write(worker.capacity, "capacity", &writer)
            writer.key("attributes")
            writer.beginObject()
            for (name, value) in worker.attributes.sorted(by: { $0.key < $1.key }) { writer.member(name, value) }
            writer.endObject()
            writer.member("version", worker.version)
        }
    }

    public static func decodeWorkerDescription(_ bytes: [UInt8]) throws(DomainError) -> WorkerDescription {
        let body = try FieldReader.body(bytes)
        guard let members = body.value("attributes")?.objectValue, members.count <= Limits.attributes else {
            throw body.mustBe("attributes", "an object of at most \(Limits.attributes) members")
        }
        var attributes: [String: String] = [:]
        for (name, value) in members {
            guard (1...Limits.attributeValue).contains(name.utf8.count) else {
                throw .invalid("the name of an attribute has 1 to \(Limits.attributeValue) bytes")
            }
            attributes[name] = try FieldReader.text(value, name: "attributes.\(name)", limit: Limits.attributeValue)
        }
        return WorkerDescription(
            name: try body.text("name", limit: WireLimits.name, mayBeEmpty: false),
            url: try body.text("url", limit: WireLimits.url, mayBeEmpty: false),
            boot: try body.text("boot", limit: WireLimits.name, mayBeEmpty: false),
            capacity: try readResources(body, "capacity"), attributes: attributes,
            version: try body.text("version", limit: WireLimits.name))
    }

    public static func encode(_ heartbeat: WorkerHeartbeat) -> [UInt8] {
        object { writer in
            writer.member("worker", heartbeat.worker)
            writer.member("boot", heartbeat.boot)
            write(heartbeat.held, "held", &writer)
            writer.member("freeDiskMegabytes", heartbeat.freeDisk)
        }
    }

    public static func decodeWorkerHeartbeat(_ bytes: [UInt8]) throws(DomainError) -> WorkerHeartbeat {
        let body = try FieldReader.body(bytes)
        return WorkerHeartbeat(
            worker: try body.text("worker", limit: WireLimits.name, mayBeEmpty: false),
            boot: try body.text("boot", limit: WireLimits.name, mayBeEmpty: false), held: try readHeld(body, "held"),
            freeDisk: try body.number("freeDiskMegabytes"))
    }

    public static func encode(_ reply: HeartbeatReply) -> [UInt8] {
        object { writer in
            write(reply.term, "term", &writer)
            writer.member("leaderURL", reply.leaderURL)
            writer.member("mustRegister", reply.mustRegister)
            write(reply.kill, "kill", &writer)
            if let now = reply.now { writer.member("nowMicroseconds", now.microseconds) }
        }
    }

    public static func decodeHeartbeatReply(_ bytes: [UInt8]) throws(DomainError) -> HeartbeatReply {
        let body = try FieldReader.body(bytes)
        return HeartbeatReply(
            term: try readTerm(body, "term"), leaderURL: try body.text("leaderURL", limit: WireLimits.url),
            mustRegister: try body.flag("mustRegister"), kill: try readAttempts(body, "kill"),
            now: try body.optionalInstant("nowMicroseconds"))
    }

    public static func encode(_ reports: [AttemptReport]) -> [UInt8] {
        object { writer in
            writer.key("reports")
            writer.beginArray()
            for report in reports { write(report, &writer) }
            writer.endArray()
        }
    }

    public static func decodeReports(_ bytes: [UInt8]) throws(DomainError) -> [AttemptReport] {
        var reports: [AttemptReport] = []
        for item in try FieldReader.body(bytes).objects("reports", limit: WireLimits.reports) {
            reports.append(try readReport(item))
        }
        return reports
    }

    public static func encode(_ reply: ReportReply) -> [UInt8] {
        object { writer in write(reply.acknowledged, "acknowledged", &writer) }
    }

    public static func decodeReportReply(_ bytes: [UInt8]) throws(DomainError) -> ReportReply {
        ReportReply(acknowledged: try readAttempts(try FieldReader.body(bytes), "acknowledged"))
    }

    private enum OutcomeWord: String, CaseIterable {
        case exited, signalled, timedOut, exceeded, reported, aborted, notStarted, interrupted
    }

    private static func write(_ report: AttemptReport, _ writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(report.attempt, &writer)
        writer.member("worker", report.worker)
        writer.member("boot", report.boot)
        if let started = report.startedAt { writer.member("startedMicroseconds", started.microseconds) }
        writer.member("finishedMicroseconds", report.finishedAt.microseconds)
        switch report.outcome {
        case .exited(let code):
            writer.member("outcome", OutcomeWord.exited.rawValue)
            writer.member("code", Int64(code))
        case .signalled(let number):
            writer.member("outcome", OutcomeWord.signalled.rawValue)
            writer.member("signal", Int64(number))
        case .timedOut: writer.member("outcome", OutcomeWord.timedOut.rawValue)
        case .exceeded(let limit):
            writer.member("outcome", OutcomeWord.exceeded.rawValue)
            writer.member("limit", limit.rawValue)
        case .reported(let isSuccess):
            writer.member("outcome", OutcomeWord.reported.rawValue)
            writer.member("isSuccess", isSuccess)
        case .aborted: writer.member("outcome", OutcomeWord.aborted.rawValue)
        case .notStarted: writer.member("outcome", OutcomeWord.notStarted.rawValue)
        case .interrupted: writer.member("outcome", OutcomeWord.interrupted.rawValue)
        }
        writer.member("reason", report.reason)
        writer.member("outputTail", report.outputTail)
        write(report.details, &writer)
        writer.endObject()
    }

    private static func readReport(_ item: FieldReader) throws(DomainError) -> AttemptReport {
        let outcome: AttemptOutcome =
            switch try item.word("outcome", OutcomeWord.self) {
            case .exited: .exited(code: Int(try item.integer("code", in: 0...255)))
            case .signalled: .signalled(Int(try item.integer("signal", in: 1...64)))
            case .timedOut: .timedOut
            case .exceeded: .exceeded(try item.word("limit", ExceededLimit.self))
            case .reported: .reported(isSuccess: try item.flag("isSuccess"))
            case .aborted: .aborted
            case .notStarted: .notStarted
            case .interrupted: .interrupted
            }
        return AttemptReport(
            attempt: try readAttempt(item), worker: try item.text("worker", limit: WireLimits.name, mayBeEmpty: false),
            boot: try item.text("boot", limit: WireLimits.name, mayBeEmpty: false),
            startedAt: try item.optionalInstant("startedMicroseconds"),
            finishedAt: try item.instant("finishedMicroseconds"), outcome: outcome,
            reason: try item.text("reason", limit: Limits.text),
            outputTail: try item.text("outputTail", limit: Limits.outputTail), details: try readDetails(item))
    }
}
