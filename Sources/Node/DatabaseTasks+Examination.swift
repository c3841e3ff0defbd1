import Domain
import PostgresClient
import Runtime
import Storage
import Timetable

/// One thing that `carillon doctor` has looked at.
public struct Finding: Sendable, Hashable {
    public enum Level: String, Sendable { case ok, warning, error }
    public var level: Level
    /// One word: `database`, `lock`, `clock`…
    public var subject: String
    public var text: String
    /// What to do; empty where nothing is to be done.
    public var advice: String

    public init(_ level: Level, _ subject: String, _ text: String, advice: String = "") {
        self.level = level
        self.subject = subject
        self.text = text
        self.advice = advice
    }
}

extension DatabaseTasks {
    /// Beyond it what is due and what is logged differ noticeably.
    static let clockTolerance = Duration.milliseconds(500)
    static let longTransactionSeconds: Int64 = 300
    static let largeHistory: Int64 = 50 << 30
    static let shownErrors = 3

    /// Looks at the database, and changes nothing. Never throws: what fails is a finding.
    public func examine() async -> [Finding] {
        var findings: [Finding] = []
        do {
            findings = try await withPool { pool in try await examine(pool) }
        } catch {
            return [
                Finding(
                    .error, "database", "it cannot be used: \(error)",
                    advice: "see that PostgreSQL runs, and that --database-url names host, user and database rightly")
            ]
        }
        return findings + (await examineLock())
    }

    private func examine(_ pool: PostgresPool) async throws -> [Finding] {
        var findings: [Finding] = []
        let stores = Stores(pool: pool)
        let sent = loop.monotonicNow
        let server = try await stores.examination.server()
        let travelled = sent.duration(to: loop.monotonicNow)
        findings.append(Finding(.ok, "database", "PostgreSQL \(server.version), \(Self.size(server.bytes))"))
        do {
            try await Schema(pool: pool).verify()
            findings.append(Finding(.ok, "schema", "at step \(Schema.version), as this program needs it"))
        } catch {
            return findings + [Finding(.error, "schema", error.message, advice: "see the message")]
        }
        findings.append(judge(server.clock, now: clock.now(), travelled: travelled))
        findings += Self.settings(server)
        findings += try await messages(stores)
        findings += try await sizes(stores)
        return findings
    }

    private func judge(_ shown: Instant, now: Instant, travelled: Duration) -> Finding {
        // The answer was made somewhere on the way there and back.
        let offset = shown.duration(to: now) - travelled / 2
        let amount = offset < .zero ? .zero - offset : offset
        let text = "this machine differs from the database by \(amount.milliseconds) ms"
        guard amount > Self.clockTolerance + travelled else { return Finding(.ok, "clock", text) }
        return Finding(
            .warning, "clock", text,
            advice: "let chrony or systemd-timesyncd keep the time on every machine; schedules go by the database's")
    }

    private static func settings(_ server: ExaminationStore.Server) -> [Finding] {
        var findings: [Finding] = []
        let used = "\(server.connections) of \(server.connectionLimit) connections are used"
        findings.append(
            server.connections * 10 > server.connectionLimit * 9
                ? Finding(.warning, "connections", used, advice: "raise max_connections: each node needs 7")
                : Finding(.ok, "connections", used))
        if ["off", "local"].contains(server.synchronousCommit) {
            findings.append(
                Finding(
                    .error, "durability", "synchronous_commit is \(server.synchronousCommit)",
                    advice: "set it to on: what was acknowledged may be lost otherwise, and run twice"))
        } else if server.standbys.isEmpty {
            findings.append(
                Finding(
                    .ok, "durability",
                    "synchronous_commit is \(server.synchronousCommit); no synchronous standby (if this server has "
                        + "standbys that may take over, name them in synchronous_standby_names)"))
        } else {
            findings.append(Finding(.ok, "durability", "synchronous standbys: \(server.standbys)"))
        }
        if server.oldestTransaction > longTransactionSeconds {
            findings.append(
                Finding(
                    .warning, "transactions", "one has been open for \(server.oldestTransaction) s",
                    advice: "find it in pg_stat_activity and end it: it keeps old rows, and slows everything down"))
        }
        return findings
    }

    private func messages(_ stores: Stores) async throws -> [Finding] {
        let depth = try await stores.outbox.depth()
        var findings: [Finding] = []
        if depth.buried > 0 {
            let errors = try await stores.examination.buriedErrors(limit: Self.shownErrors)
            findings.append(
                Finding(
                    .warning, "messages",
                    "\(depth.buried) mails or web hooks were given up, such as \(errors.joined(separator: "; "))",
                    advice: "mend the receiver or the job's settings; they are dropped with the history"))
        }
        findings.append(Finding(.ok, "messages", "\(depth.waiting) wait to be sent"))
        return findings
    }

    private func sizes(_ stores: Stores) async throws -> [Finding] {
        let sizes = try await stores.examination.sizes()
        var findings: [Finding] = []
        let topics = [
            ("history", ["run_history", "attempts"]), ("logs", ["run_logs"]), ("ledger", ["ledger"]),
            ("jobs", ["jobs", "job_versions"]), ("runs", ["runs"]),
        ]
        for (topic, tables) in topics {
            let found = sizes.filter { tables.contains($0.table) }
            let bytes = found.reduce(0) { $0 + $1.bytes }
            let days = found.map(\.partitions).max() ?? 0
            let rows = found.reduce(0) { $0 + $1.rows }
            let text = "\(Self.size(bytes)), about \(rows) rows" + (days > 0 ? ", \(days) partitions" : "")
            findings.append(
                bytes > Self.largeHistory
                    ? Finding(
                        .warning, topic, text, advice: "shorten --retention-days of the nodes, or give the disk room")
                    : Finding(.ok, topic, text))
        }
        return findings
    }

    /// Opens a session as a node would, which finds poolers and standbys, and looks at who holds the lock.
    private func examineLock() async -> [Finding] {
        let node = NodeDescription(name: "doctor", url: "", boot: "doctor", version: Carillon.version)
        let lock = PostgresLeaderLock(
            database: PostgresConfiguration(url: url), node: node, constants: ElectionConstants(), loop: loop,
            log: Log("doctor", minimum: .error))
        var findings: [Finding] = []
        do {
            try await lock.open()
            let seen = try await lock.look()
            findings.append(Finding(.ok, "pooler", "none between here and the server: the election can use it"))
            if seen.isHeld, let leader = seen.leader {
                findings.append(Finding(.ok, "leader", "\(leader.node) at \(leader.url), epoch \(leader.term.epoch)"))
            } else {
                findings.append(
                    Finding(.error, "leader", "nobody holds the lock: nothing is started", advice: "start a node"))
            }
        } catch {
            findings.append(
                Finding(
                    .error, "pooler", "\(error)",
                    advice: "give nodes a --database-url that leads to PostgreSQL's primary itself"))
        }
        await lock.close()
        let holder = try? await withPool { try await Stores(pool: $0).examination.lockHolder() }  // told above
        if let holder {
            let idle = holder.idle.milliseconds
            let text = "held by \(holder.application) from \(holder.address), last heard \(idle) ms ago"
            findings.append(
                holder.application.hasPrefix("carillon")
                    ? Finding(.ok, "lock", text)
                    : Finding(
                        .error, "lock", text,
                        advice: "some other program uses Carillon's advisory lock: give Carillon its own database"))
        }
        return findings
    }

    static func size(_ bytes: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1_024, unit < units.count - 1 {
            value /= 1_024
            unit += 1
        }
        let rounded = (value * 10).rounded() / 10
        return (rounded == rounded.rounded() ? String(Int64(rounded)) : String(rounded)) + " " + units[unit]
    }
}
