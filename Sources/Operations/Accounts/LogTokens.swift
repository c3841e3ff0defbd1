import Crypto
public import Timetable

/// Tokens that open the log of one run to whoever has the address: good for the day on which they were made and for
/// the next.
public struct LogTokens: Sendable {
    private let key: [UInt8]

    /// - Parameter secret: what all nodes of the cluster share.
    public init(secret: String) {
        key = MAC.hmacSHA256(key: Array(secret.utf8), Array("carillon-log-tokens".utf8))
    }

    public func token(for run: String, now: Instant) -> String { token(for: run, day: Self.day(of: now)) }

    public func isValid(_ token: String, for run: String, now: Instant) -> Bool {
        let today = Self.day(of: now)
        let presented = Array(token.utf8)
        return [today, today - 1].contains { day in
            constantTimeEqual(presented, Array(self.token(for: run, day: day).utf8))
        }
    }

    private func token(for run: String, day: Int64) -> String {
        Hex.encode(MAC.hmacSHA256(key: key, Array("\(day):\(run)".utf8)))
    }

    private static func day(of instant: Instant) -> Int64 { instant.seconds / 86_400 }
}
