public import Domain
import JSON
import Timetable

// Logs: ended ones from worker to node, and pieces of any from worker to a node that asks. Their bytes follow a line of
// JSON that says what they are.
extension WorkerMessageCoding {
    public static func encode(_ logs: [AttemptLog]) -> [UInt8] {
        var bytes = object { writer in
            writer.key("logs")
            writer.beginArray()
            for log in logs {
                writer.beginObject()
                writeMembers(log.attempt, &writer)
                writer.member("finishedMicroseconds", log.finishedAt.microseconds)
                writer.member("total", log.extent.total)
                writer.member("head", log.extent.head)
                writer.member("tail", log.extent.tail)
                writer.member("size", log.extent.size)
                writer.member("bytes", Int64(log.gzip.count))
                writer.endObject()
            }
            writer.endArray()
        }
        bytes.reserveCapacity(bytes.count + 1 + logs.reduce(0) { $0 + $1.gzip.count })
        bytes.append(newline)
        for log in logs { bytes += log.gzip }
        return bytes
    }

    /// What is in the bytes of a log is not looked at.
    public static func decodeLogs(_ bytes: [UInt8]) throws(DomainError) -> [AttemptLog] {
        var (body, rest) = try split(bytes)
        var logs: [AttemptLog] = []
        for item in try body.objects("logs", limit: WireLimits.logs) {
            let extent = LogExtent(
                total: try item.integer("total", in: 0 ... .max), head: try item.integer("head", in: 0 ... .max),
                tail: try item.integer("tail", in: 0 ... .max), size: try item.integer("size", in: 0 ... .max))
            guard extent.head <= extent.total, extent.tail <= extent.total - extent.head else {
                throw .invalid("a log keeps more bytes than were written")
            }
            let count = Int(try item.integer("bytes", in: 0...Int64(Limits.storedLog)))
            guard count <= rest.count else { throw .invalid("the bytes of the logs are not complete") }
            logs.append(
                AttemptLog(
                    attempt: try readAttempt(item),
                    finishedAt: try item.instant("finishedMicroseconds"),
                    extent: extent, gzip: Array(rest.prefix(count))))
            rest = rest.dropFirst(count)
        }
        guard rest.isEmpty else { throw .invalid("there are more bytes than the logs have") }
        return logs
    }

    public static func encode(_ request: LogRequest) -> [UInt8] {
        object { writer in
            writeMembers(request.attempt, &writer)
            writer.member("position", request.position)
            writer.member("limit", Int64(request.limit))
            writer.member("waitMilliseconds", Int64(request.waitMilliseconds))
        }
    }

    public static func decodeLogRequest(_ bytes: [UInt8]) throws(DomainError) -> LogRequest {
        let body = try FieldReader.body(bytes)
        return LogRequest(
            attempt: try readAttempt(body), position: try body.integer("position", in: 0 ... .max),
            limit: Int(try body.integer("limit", in: 1...Int64(WireLimits.logPiece))),
            waitMilliseconds: Int(try body.integer("waitMilliseconds", in: 0...WireLimits.logWaitMilliseconds)))
    }

    public static func encode(_ piece: LogPiece) -> [UInt8] {
        var bytes = object { writer in
            writer.member("next", piece.next)
            writer.member("ended", piece.hasEnded)
            writer.member("missing", piece.isMissing)
        }
        bytes.append(newline)
        return bytes + piece.bytes
    }

    public static func decodeLogPiece(_ bytes: [UInt8]) throws(DomainError) -> LogPiece {
        let (body, rest) = try split(bytes)
        return LogPiece(
            bytes: Array(rest), next: try body.integer("next", in: 0 ... .max), hasEnded: try body.flag("ended"),
            isMissing: try body.flag("missing"))
    }

    private static let newline = UInt8(ascii: "\n")

    private static func split(_ bytes: [UInt8]) throws(DomainError) -> (FieldReader, ArraySlice<UInt8>) {
        guard let end = bytes.firstIndex(of: newline) else { throw .invalid("the body has no line of JSON") }
        return (try FieldReader.body(Array(bytes[..<end])), bytes[(end + 1)...])
    }
}
