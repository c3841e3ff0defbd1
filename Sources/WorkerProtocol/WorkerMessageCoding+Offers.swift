public import Domain
import DomainCoding
import JSON
import Timetable

extension WorkerMessageCoding {
    public static func encode(_ batch: OfferBatch) -> [UInt8] {
        object { writer in
            write(batch.term, "term", &writer)
            writer.member("leader", batch.leader)
            writer.member("leaderURL", batch.leaderURL)
            writer.key("offers")
            writer.beginArray()
            for offer in batch.offers { write(offer, &writer) }
            writer.endArray()
        }
    }

    public static func decodeOfferBatch(_ bytes: [UInt8]) throws(DomainError) -> OfferBatch {
        let body = try FieldReader.body(bytes)
        var offers: [Offer] = []
        for item in try body.objects("offers", limit: Limits.offersPerRequest) { offers.append(try readOffer(item)) }
        return OfferBatch(
            term: try readTerm(body, "term"), leader: try body.text("leader", limit: WireLimits.name),
            leaderURL: try body.text("leaderURL", limit: WireLimits.url), offers: offers)
    }

    /// Status of the answer that carries the reply.
    public static func status(of reply: OfferReply) -> Int {
        switch reply {
        case .taken: 200
        case .stale: 409
        }
    }

    public static func encode(_ reply: OfferReply) -> [UInt8] {
        object { writer in
            switch reply {
            case .stale(let highest):
                write(highest, "stale", &writer)
            case .taken(let boot, let refused):
                writer.member("boot", boot)
                writer.key("refused")
                writer.beginArray()
                for refusal in refused {
                    writer.beginObject()
                    writeMembers(refusal.attempt, &writer)
                    writer.member("reason", refusal.reason)
                    writer.member("isPermanent", refusal.isPermanent)
                    writer.endObject()
                }
                writer.endArray()
                // Leaders of former builds expect a list, and make nothing of it.
                writer.key("held")
                writer.beginArray()
                writer.endArray()
            }
        }
    }

    /// Of an answer with the status 200 or 409.
    public static func decodeOfferReply(_ bytes: [UInt8]) throws(DomainError) -> OfferReply {
        let body = try FieldReader.body(bytes)
        if body.value("stale") != nil { return .stale(highest: try readTerm(body, "stale")) }
        var refused: [OfferRefusal] = []
        for item in try body.objects("refused", limit: Limits.offersPerRequest) {
            refused.append(
                OfferRefusal(
                    attempt: try readAttempt(item), reason: try item.text("reason", limit: Limits.text),
                    isPermanent: try item.flag("isPermanent")))
        }
        return .taken(boot: try body.text("boot", limit: WireLimits.name, mayBeEmpty: false), refused: refused)
    }

    private static func write(_ offer: Offer, _ writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(offer.attempt, &writer)
        writer.member("job", offer.job.job.rawValue)
        writer.member("version", offer.job.version)
        writer.member("jobName", offer.jobName)
        writer.member("owner", offer.owner)
        writer.member("taskID", offer.taskID)
        writer.member("dueMicroseconds", offer.due.microseconds)
        writer.member("command", offer.command)
        writer.member("shell", offer.shell)
        writer.key("arguments")
        writer.beginArray()
        for argument in offer.arguments { writer.string(argument) }
        writer.endArray()
        writer.key("environment")
        writer.beginArray()
        for variable in offer.environment {
            writer.beginObject()
            writer.member("name", variable.name)
            writer.member("value", variable.value)
            writer.endObject()
        }
        writer.endArray()
        writer.member("user", offer.user)
        write(offer.resources, "resources", &writer)
        writer.key("constraints")
        writer.beginArray()
        for constraint in offer.constraints {
            writer.beginObject()
            writer.member("attribute", constraint.attribute)
            writer.member("operator", constraint.comparison.rawValue)
            writer.member("value", constraint.value)
            writer.endObject()
        }
        writer.endArray()
        if let timeout = offer.timeout { writer.member("timeoutMicroseconds", timeout.wholeMicroseconds) }
        if let deadline = offer.startDeadline { writer.member("startDeadlineMicroseconds", deadline.microseconds) }
        if offer.lead > .zero { writer.member("leadMicroseconds", offer.lead.wholeMicroseconds) }
        if let extras = offer.extras {
            writer.key("extras")
            writer.value(OfferExtrasCoding.encode(extras))
        }
        writer.endObject()
    }

    private static func readOffer(_ item: FieldReader) throws(DomainError) -> Offer {
        let command = try item.text("command", limit: Limits.command)
        // The task's id carries name and arguments of the job and is bounded like a command.
        let taskID = try item.text("taskID", limit: Limits.command)
        let timeout: Duration? =
            item.value("timeoutMicroseconds") == nil
            ? nil : .microseconds(try item.integer("timeoutMicroseconds", in: 1...Limits.runSeconds * 1_000_000))
        let lead =
            item.value("leadMicroseconds") == nil
            ? 0 : try item.integer("leadMicroseconds", in: 0...Limits.leadSeconds * 1_000_000)
        return Offer(
            attempt: try readAttempt(item),
            job: JobVersion(
                job: JobID(try item.identifier("job")), version: try item.integer("version", in: 0 ... .max)),
            jobName: try item.text("jobName", limit: Limits.jobName, mayBeEmpty: false),
            owner: try item.text("owner", limit: Limits.text), taskID: taskID, due: try item.instant("dueMicroseconds"),
            command: command, shell: try item.flag("shell"),
            arguments: try item.texts("arguments", count: Limits.arguments, limit: Limits.argument),
            environment: try readEnvironment(item), user: try item.text("user", limit: Limits.attributeValue),
            resources: try readResources(item, "resources"), constraints: try readConstraints(item), timeout: timeout,
            startDeadline: try item.optionalInstant("startDeadlineMicroseconds"), lead: .microseconds(lead),
            extras: try readExtras(item))
    }

    private static func readExtras(_ item: FieldReader) throws(DomainError) -> OfferExtras? {
        guard let value = item.value("extras") else { return nil }
        do { return try OfferExtrasCoding.decode(value) } catch { throw .invalid(error.message) }
    }

    private static func readEnvironment(_ offer: FieldReader) throws(DomainError) -> [EnvironmentVariable] {
        var variables: [EnvironmentVariable] = []
        for item in try offer.objects("environment", limit: Limits.environmentVariables) {
            variables.append(
                EnvironmentVariable(
                    name: try item.text("name", limit: Limits.text),
                    value: try item.text("value", limit: Limits.environmentValue)))
        }
        return variables
    }

    private static func readConstraints(_ offer: FieldReader) throws(DomainError) -> [Constraint] {
        var constraints: [Constraint] = []
        for item in try offer.objects("constraints", limit: Limits.constraints) {
            constraints.append(
                try Constraint(
                    attribute: try item.text("attribute", limit: Limits.attributeValue),
                    comparison: try item.text("operator", limit: Limits.attributeValue),
                    value: try item.text("value", limit: Limits.constraintPattern)))
        }
        return constraints
    }
}
