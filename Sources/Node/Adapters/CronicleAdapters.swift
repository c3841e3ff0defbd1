import CronicleAPI
import Crypto
import Domain
import Glibc
import HTTPTransport
import Operations
import Runtime
import Timetable

/// Passwords on threads of their own, a few at a time: hashing one takes tens of milliseconds on purpose.
final class PasswordThreads: PasswordHashing {
    private let pool = BlockingPool(threads: 2, queueLimit: 64)

    func make(_ password: String) async throws(DomainError) -> String? {
        try await run { PasswordHash.make(password) }
    }

    func verify(_ password: String, against stored: String) async throws(DomainError) -> Bool {
        try await run { PasswordHash.verify(password, against: stored) }
    }

    func close() { pool.shutDown() }

    private func run<Answer: Sendable>(_ body: @escaping @Sendable () -> Answer) async throws(DomainError) -> Answer {
        do { return try await pool.run(body) } catch {
            throw DomainError(.tooMany, "too many logins at once: try again in a few seconds")
        }
    }
}

/// What the Cronicle dialect shows of this node.
struct CronicleNode: CronicleSystem {
    let hostName: String
    let version: String
    let host: String
    let port: Int
    let started: MonotonicInstant
    let timekeeper: any Timekeeper
    let nodeName: String
    let leader: any LeaderReading
    let client: HTTPClient
    let tls: ClusterTLS?

    func leaderName() async throws -> String? { try await leader.leader()?.node }

    func contact(_ host: String) async -> ContactOutcome {
        // Another node serves as this one does.
        let scheme = tls?.server == nil ? "http" : "https"
        var request = HTTPClientRequest(
            url: "\(scheme)://\(host):\(port)/api/app/ping", timeout: .seconds(8), connectTimeout: .seconds(3),
            maximumResponseBytes: 4_096)
        request.tls = tls?.client
        do {
            let answer = try await client.execute(request)
            return answer.status == 200 ? .isNode : .other
        } catch {
            return .refused("Connection Refused: Failed to connect to host: \(host)")
        }
    }

    func pause(_ duration: Duration) async throws { try await timekeeper.sleep(for: duration) }

    var facts: SystemFacts {
        var facts = SystemFacts()
        facts.version = version
        facts.address = host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host
        facts.port = port
        facts.process = getpid()
        facts.uptime = started.duration(to: timekeeper.monotonicNow)
        facts.lastTick = Instant(microseconds: timekeeper.wallMicroseconds)
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            facts.userMicroseconds = Int64(usage.ru_utime.tv_sec) * 1_000_000 + Int64(usage.ru_utime.tv_usec)
            facts.systemMicroseconds = Int64(usage.ru_stime.tv_sec) * 1_000_000 + Int64(usage.ru_stime.tv_usec)
            // The most it has had; the present is in /proc and would cost a file read a call.
            facts.residentBytes = Int64(usage.ru_maxrss) * 1_024
        }
        facts.leaderHost = hostName
        return facts
    }
}
