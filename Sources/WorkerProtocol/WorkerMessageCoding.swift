public import Domain
import DomainCoding
import JSON
import Timetable

/// The bodies of the internal protocol. Encoding is total; decoding throws `DomainError.invalid`.
///
/// An attempt is `{"run": "r0000…", "attempt": 0}`; instants are microseconds since 1970; units stand in the names.
public enum WorkerMessageCoding {
    public static func encode(_ request: KillRequest) -> [UInt8] {
        object { writer in
            write(request.term, "term", &writer)
            write(request.attempts, "attempts", &writer)
            guard !request.reasons.isEmpty else { return }
            writer.key("reasons")
            writer.beginArray()
            for attempt in request.attempts { writer.string(String((request.reasons[attempt] ?? "").prefix(500))) }
            writer.endArray()
        }
    }

    public static func decodeKillRequest(_ bytes: [UInt8]) throws(DomainError) -> KillRequest {
        let body = try FieldReader.body(bytes)
        var request = KillRequest(term: try readTerm(body, "term"), attempts: try readAttempts(body, "attempts"))
        guard body.value("reasons") != nil else { return request }
        let reasons = try body.texts("reasons", count: WireLimits.attempts, limit: Limits.text)
        for (attempt, reason) in zip(request.attempts, reasons) where !reason.isEmpty {
            request.reasons[attempt] = reason
        }
        return request
    }

    public static func encode(_ request: AdjustRequest) -> [UInt8] {
        object { writer in
            write(request.term, "term", &writer)
            writeMembers(request.attempt, &writer)
            if let timeout = request.timeout { writer.member("timeoutMicroseconds", timeout.wholeMicroseconds) }
            writer.key("limits")
            writer.value(LimitsCoding.encode(request.limits))
        }
    }

    public static func decodeAdjustRequest(_ bytes: [UInt8]) throws(DomainError) -> AdjustRequest {
        let body = try FieldReader.body(bytes)
        let timeout: Duration? =
            body.value("timeoutMicroseconds") == nil
            ? nil : .microseconds(try body.integer("timeoutMicroseconds", in: 1...Limits.runSeconds * 1_000_000))
        let limits: RunLimits
        do { limits = try LimitsCoding.decode(body.value("limits") ?? [:]) } catch { throw .invalid(error.message) }
        return AdjustRequest(
            term: try readTerm(body, "term"), attempt: try readAttempt(body), timeout: timeout, limits: limits)
    }

    public static func encode(_ request: ClaimRequest) -> [UInt8] {
        object { writer in
            writer.member("worker", request.worker)
            writer.member("boot", request.boot)
            write(request.attempts, "attempts", &writer)
        }
    }

    public static func decodeClaimRequest(_ bytes: [UInt8]) throws(DomainError) -> ClaimRequest {
        let body = try FieldReader.body(bytes)
        return ClaimRequest(
            worker: try body.text("worker", limit: WireLimits.name, mayBeEmpty: false),
            boot: try body.text("boot", limit: WireLimits.name, mayBeEmpty: false),
            attempts: try readAttempts(body, "attempts"))
    }

    public static func encode(_ reply: ClaimReply) -> [UInt8] {
        object { writer in
            write(reply.granted, "granted", &writer)
            write(reply.refused, "refused", &writer)
        }
    }

    public static func decodeClaimReply(_ bytes: [UInt8]) throws(DomainError) -> ClaimReply {
        let body = try FieldReader.body(bytes)
        return ClaimReply(granted: try readAttempts(body, "granted"), refused: try readAttempts(body, "refused"))
    }

    // MARK: Parts that several messages share

    static func object(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter(reserving: 1024)
        writer.beginObject()
        members(&writer)
        writer.endObject()
        return writer.bytes
    }

    static func write(_ term: Term, _ key: String, _ writer: inout JSONWriter) {
        writer.key(key)
        writer.beginObject()
        writer.member("timeline", term.timeline)
        writer.member("epoch", term.epoch)
        writer.endObject()
    }

    static func readTerm(_ reader: FieldReader, _ key: String) throws(DomainError) -> Term {
        let term = try reader.object(key)
        return Term(
            timeline: try term.integer("timeline", in: 0 ... .max), epoch: try term.integer("epoch", in: 0 ... .max))
    }

    /// The members of an attempt, in an object that is open.
    static func writeMembers(_ attempt: AttemptID, _ writer: inout JSONWriter) {
        writer.member("run", attempt.run.rawValue)
        writer.member("attempt", Int64(attempt.number))
    }

    static func readAttempt(_ reader: FieldReader) throws(DomainError) -> AttemptID {
        AttemptID(
            run: RunID(try reader.identifier("run")),
            number: Int(try reader.integer("attempt", in: 0...Int64(Int32.max))))
    }

    static func write(_ attempts: [AttemptID], _ key: String, _ writer: inout JSONWriter) {
        writer.key(key)
        writer.beginArray()
        for attempt in attempts {
            writer.beginObject()
            writeMembers(attempt, &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    static func readAttempts(_ reader: FieldReader, _ key: String) throws(DomainError) -> [AttemptID] {
        var attempts: [AttemptID] = []
        for item in try reader.objects(key, limit: WireLimits.attempts) { attempts.append(try readAttempt(item)) }
        return attempts
    }

    static func write(_ held: [HeldAttempt], _ key: String, _ writer: inout JSONWriter) {
        writer.key(key)
        writer.beginArray()
        for item in held {
            writer.beginObject()
            writeMembers(item.attempt, &writer)
            writer.member("phase", item.phase.rawValue)
            write(item.details, &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    static func readHeld(_ reader: FieldReader, _ key: String) throws(DomainError) -> [HeldAttempt] {
        var held: [HeldAttempt] = []
        for item in try reader.objects(key, limit: WireLimits.attempts) {
            held.append(
                HeldAttempt(
                    attempt: try readAttempt(item), phase: try item.word("phase", HeldAttempt.Phase.self),
                    details: try readDetails(item)))
        }
        return held
    }

    static func write(_ details: AttemptDetails?, _ writer: inout JSONWriter) {
        guard let details else { return }
        writer.key("details")
        writer.value(AttemptDetailsCoding.encode(details))
    }

    static func readDetails(_ item: FieldReader) throws(DomainError) -> AttemptDetails? {
        guard let value = item.value("details") else { return nil }
        do { return try AttemptDetailsCoding.decode(value) } catch { throw .invalid(error.message) }
    }

    static func write(_ resources: Resources, _ key: String, _ writer: inout JSONWriter) {
        writer.key(key)
        writer.beginObject()
        writer.member("cpus", resources.cpus)
        writer.member("memoryMegabytes", resources.memory)
        writer.member("diskMegabytes", resources.disk)
        writer.endObject()
    }

    static func readResources(_ reader: FieldReader, _ key: String) throws(DomainError) -> Resources {
        let resources = try reader.object(key)
        return Resources(
            cpus: try resources.number("cpus"), memory: try resources.number("memoryMegabytes"),
            disk: try resources.number("diskMegabytes"))
    }
}

extension JSONWriter {
    mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    mutating func member(_ name: String, _ value: Int64) {
        key(name)
        integer(value)
    }

    mutating func member(_ name: String, _ value: Double) {
        key(name)
        double(value)
    }

    mutating func member(_ name: String, _ value: Bool) {
        key(name)
        bool(value)
    }
}
