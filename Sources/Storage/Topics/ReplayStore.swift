public import Domain
import JSON
import PostgresClient
public import Timetable

/// Writes that reached a follower, kept until the leader executes them: for seconds, once, and only for whoever sent
/// them.
///
/// The token itself is never stored, only its hash.
public struct ReplayStore: Sendable {
    let access: Access

    public struct Request: Hashable, Sendable {
        public var method: String
        public var target: String
        public var headers: [Header]
        public var body: [UInt8]
        public init(method: String, target: String, headers: [Header], body: [UInt8]) {
            self.method = method
            self.target = target
            self.headers = headers
            self.body = body
        }

        var size: Int {
            headers.reduce(method.utf8.count + target.utf8.count + body.count) {
                $0 + $1.name.utf8.count + $1.value.utf8.count
            }
        }
    }

    public struct Header: Hashable, Sendable {
        public var name: String
        public var value: String
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public enum PutResult: Hashable, Sendable {
        case stored
        /// `StorageLimits.replays` requests wait already.
        case full
        /// More than `StorageLimits.replayBytes`.
        case tooLarge
    }

    /// - Throws: `.conflict` for a token that is in use.
    public func put(
        _ request: Request, tokenHash: [UInt8], credentialsHash: [UInt8], now: Instant, expires: Instant
    ) async throws(StoreError) -> PutResult {
        guard request.size <= StorageLimits.replayBytes else { return .tooLarge }
        let headers = JSONValue.array(request.headers.map { .array([.string($0.name), .string($0.value)]) })
        let result = try await access.query(
            Statement(
                Self.putRequest, .bytes(tokenHash), .text(request.method), .text(request.target), .json(headers.text),
                .bytes(request.body), .bytes(credentialsHash), .timestamp(microseconds: now.microseconds),
                .timestamp(microseconds: expires.microseconds), .int(Int64(StorageLimits.replays))),
            deadline: Stores.deadline)
        return result.affected > 0 ? .stored : .full
    }

    /// The request, which is gone from the table with this answer. Nil for a token that is unknown, used, expired or
    /// another's; one that is another's stays.
    /// - Parameter credentialsHash: nil: by the token alone.
    public func take(
        tokenHash: [UInt8], credentialsHash: [UInt8]?, now: Instant
    ) async throws(StoreError) -> Request? {
        try await access.query(
            Statement(
                Self.takeRequest, .bytes(tokenHash), credentialsHash.map { .bytes($0) },
                .timestamp(microseconds: now.microseconds)),
            deadline: Stores.deadline
        ).first { row in
            let method = try row.text()
            let target = try row.text()
            let headers = (try row.json().arrayValue ?? []).compactMap { pair -> Header? in
                guard let parts = pair.arrayValue, parts.count == 2, let name = parts[0].stringValue,
                    let value = parts[1].stringValue
                else { return nil }
                return Header(name: name, value: value)
            }
            return Request(method: method, target: target, headers: headers, body: try row.bytes())
        }
    }

    /// - Returns: how many had expired.
    public func purge(now: Instant) async throws(StoreError) -> Int {
        try await access.query(
            Statement(Self.purgeRequests, .timestamp(microseconds: now.microseconds)), deadline: Stores.deadline
        ).affected
    }

    // MARK: SQL

    /// Counted without a lock: followers that put at the same time may exceed the limit by their number.
    private static let putRequest = """
        INSERT INTO carillon.replays (token_hash, method, target, headers, body, credentials_hash, created, expires)
        SELECT $1::bytea, $2::text, $3::text, $4::jsonb, $5::bytea, $6::bytea, $7::timestamptz, $8::timestamptz
         WHERE (SELECT count(*) FROM carillon.replays r WHERE r.expires > $7::timestamptz) < $9::int8
        """

    private static let takeRequest = """
        DELETE FROM carillon.replays r
         WHERE r.token_hash = $1::bytea AND ($2::bytea IS NULL OR r.credentials_hash = $2::bytea)
           AND r.expires > $3::timestamptz
        RETURNING r.method, r.target, r.headers::text, r.body
        """

    private static let purgeRequests = "DELETE FROM carillon.replays WHERE expires <= $1::timestamptz"
}
