import CLibPQ
import Glibc

/// Owns one connection of libpq and speaks to it in Swift's types; decides nothing.
///
/// `@unchecked Sendable`: used on the loop's thread only, by the one actor that owns it; the last reference may go on
/// any thread, when nobody uses it any more.
final class Wire: @unchecked Sendable {
    enum ConnectStep { case wantsRead, wantsWrite, done, failed }

    let pointer: OpaquePointer
    /// What the server said when it ended the session, if it said anything.
    private(set) var farewell: PostgresError?

    /// Begins to connect. The caller polls.
    /// - Throws: `PostgresError.connection` when there is no memory.
    init(parameters: [String: String]) throws(PostgresError) {
        let keywords = parameters.keys.sorted()
        let words = keywords.map { strdup($0) }
        let values = keywords.map { strdup(parameters[$0] ?? "") }
        defer { for text in words + values { free(text) } }
        let wordPointers = words.map { UnsafePointer($0) } + [nil]
        let valuePointers = values.map { UnsafePointer($0) } + [nil]
        guard let pointer = PQconnectStartParams(wordPointers, valuePointers, 0) else {
            throw PostgresError(.connection, "there is no memory for a connection to the database")
        }
        self.pointer = pointer
        _ = PQsetNoticeReceiver(
            pointer,
            { context, result in
                guard let context, let result else { return }
                Unmanaged<Wire>.fromOpaque(context).takeUnretainedValue().receiveNotice(result)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { PQfinish(pointer) }

    var hasFailed: Bool { PQstatus(pointer) == CONNECTION_BAD }

    var socket: Int32 { PQsocket(pointer) }

    var backendPID: Int32 { PQbackendPID(pointer) }

    /// libpq's account of what went wrong; it names hosts and users, never passwords.
    var errorMessage: String {
        let text = String(cString: PQerrorMessage(pointer))
        let lines = text.split(whereSeparator: \.isNewline).map { $0.drop { $0.isWhitespace } }
        guard !lines.isEmpty else { return "no reason was given" }
        // What pgbouncer says of the settings that sessions ask for.
        let isPooler = text.contains("unsupported startup parameter")
        return lines.joined(separator: "; ")
            + (isPooler
                ? ": probably a connection pooler stands between; a direct connection to PostgreSQL is needed" : "")
    }

    func connectStep() -> ConnectStep {
        switch PQconnectPoll(pointer) {
        case PGRES_POLLING_READING: .wantsRead
        case PGRES_POLLING_WRITING: .wantsWrite
        case PGRES_POLLING_OK: .done
        default: .failed
        }
    }

    func parameterStatus(_ name: String) -> String? {
        PQparameterStatus(pointer, name).map { String(cString: $0) }
    }

    func enterPipeline() -> Bool { PQsetnonblocking(pointer, 1) == 0 && PQenterPipelineMode(pointer) == 1 }

    func leavePipeline() -> Bool { PQexitPipelineMode(pointer) == 1 }

    func sendPrepare(_ name: String, _ sql: String) -> Bool { PQsendPrepare(pointer, name, sql, 0, nil) == 1 }

    func sendPlain(_ sql: String) -> Bool { PQsendQueryParams(pointer, sql, 0, nil, nil, nil, nil, 0) == 1 }

    func sendScript(_ sql: String) -> Bool { PQsendQuery(pointer, sql) == 1 }

    func sendSync() -> Bool { PQpipelineSync(pointer) == 1 }

    func sendExecute(_ name: String, _ parameters: EncodedParameters) -> Bool {
        guard !parameters.offsets.isEmpty else {
            return PQsendQueryPrepared(pointer, name, 0, nil, nil, nil, 0) == 1
        }
        return parameters.buffer.withUnsafeBytes { buffer in
            let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            let values = parameters.offsets.map { $0 < 0 ? nil : base?.advanced(by: $0) }
            return PQsendQueryPrepared(pointer, name, Int32(values.count), values, nil, nil, 0) == 1
        }
    }

    /// nil when the connection is lost, else whether everything is out.
    func flush() -> Bool? {
        switch PQflush(pointer) {
        case 0: true
        case 1: false
        default: nil
        }
    }

    /// Reads what has arrived. False when the connection has ended.
    func consume() -> Bool {
        guard PQconsumeInput(pointer) == 1 else { return false }
        // What OpenSSL has taken off the socket does not make it readable again.
        while pendingInTLS > 0 {
            guard PQconsumeInput(pointer) == 1 else { return false }
        }
        return true
    }

    /// Outside pipeline mode only: whether the session is in no transaction.
    var isIdle: Bool { PQtransactionStatus(pointer) == PQTRANS_IDLE }

    var isBusy: Bool { PQisBusy(pointer) == 1 }

    func nextResult() -> OpaquePointer? { PQgetResult(pointer) }

    func nextNotification() -> PostgresNotification? {
        guard let found = PQnotifies(pointer) else { return nil }
        defer { PQfreemem(found) }
        return PostgresNotification(
            channel: String(cString: found.pointee.relname), payload: String(cString: found.pointee.extra))
    }

    /// What is needed to ask the server, over a connection of its own, to stop the current statement.
    func cancellation() -> Cancellation? { PQgetCancel(pointer).map { Cancellation(pointer: $0) } }

    private typealias PendingFunction = @convention(c) (UnsafeMutableRawPointer) -> Int32

    /// libpq brings libssl along; its function is looked up rather than linked, so that a libpq without TLS will do.
    private static let pendingFunction: PendingFunction? = dlsym(nil, "SSL_pending").map {
        unsafeBitCast($0, to: PendingFunction.self)
    }

    private var pendingInTLS: Int32 {
        guard PQsslInUse(pointer) == 1, let session = PQsslStruct(pointer, "OpenSSL"),
            let function = Self.pendingFunction
        else { return 0 }
        return function(session)
    }

    private func receiveNotice(_ result: OpaquePointer) {
        let said = ServerError(result)
        if said.endsSession { farewell = said.error }
    }

    /// `@unchecked Sendable`: used once, on a thread of the pool.
    final class Cancellation: @unchecked Sendable {
        private let pointer: OpaquePointer

        init(pointer: OpaquePointer) {
            self.pointer = pointer
        }

        deinit { PQfreeCancel(pointer) }

        /// Blocks for a connection to the server. Best effort: nobody waits for the outcome.
        func request() {
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(pointer, &message, Int32(message.count))
        }
    }
}

/// What `NOTIFY` sent.
public struct PostgresNotification: Sendable, Equatable {
    public let channel: String
    public let payload: String

    public init(channel: String, payload: String) {
        self.channel = channel
        self.payload = payload
    }
}
