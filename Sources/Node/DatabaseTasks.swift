public import Domain
import Operations
import PostgresClient
public import Runtime
public import Storage
public import Timetable

/// What the command line does with the database directly, without a node.
public struct DatabaseTasks: Sendable {
    let url: String
    let loop: EventLoop
    let clock: SystemClock

    public init(url: String, loop: EventLoop) {
        self.url = url
        self.loop = loop
        clock = SystemClock(timekeeper: loop)
    }

    public func migrate() async throws {
        try await withPool { pool in try await Schema(pool: pool).migrate() }
    }

    /// - Returns: the key, which is stored nowhere.
    public func createKey(title: String, privileges: Set<Privilege>) async throws -> String {
        try await withPool { pool in
            try await Schema(pool: pool).verify()
            let keys = KeyOperations(writing: KeyAdapter(store: Stores(pool: pool).keys, clock: clock))
            // Whoever reaches the database may do anything to it.
            let administrator = Principal(name: "command line", privileges: [.admin])
            return try await keys.create(administrator, title: title, privileges: privileges).secret
        }
    }

    /// - Parameter privileges: none: all for the first user, else what Cronicle gives to new ones.
    public func createUser(
        _ name: String, fullName: String, email: String, privileges: [String], password: String
    ) async throws {
        let passwords = PasswordThreads()
        defer { passwords.close() }
        try await withPool { pool in
            try await Schema(pool: pool).verify()
            let accounts = Accounts(store: Stores(pool: pool).accounts, passwords: passwords, clock: clock)
            var granted = privileges
            if granted.isEmpty {
                let isFirst = try await accounts.users(offset: 0, limit: 1).count == 0
                granted = isFirst ? ["admin"] : ["create_events", "edit_events", "delete_events"]
            }
            var user = User(username: name, created: clock.now())
            user.fullName = fullName
            user.email = email
            user.granted = Set(granted)
            user.privileges = "{" + granted.map { "\"\($0)\":1" }.joined(separator: ",") + "}"
            for privilege in granted where !Accounts.isPossible(username: privilege) {
                throw DomainError.invalid("'\(privilege)' is no privilege")
            }
            try await accounts.create(user, password: password)
        }
    }

    /// Stores somebody with the hash of his password as it was elsewhere.
    /// - Throws: `DomainError.conflict` where the name is taken.
    public func importUser(_ user: User) async throws {
        guard Accounts.isPossible(username: user.username) else {
            throw DomainError.invalid("a user name has letters, digits, _, - and . only")
        }
        try await withPool { pool in
            try await Schema(pool: pool).verify()
            do { try await Stores(pool: pool).accounts.insert(user) } catch let error as StoreError {
                guard error.code == .conflict else { throw error }
                throw DomainError(.conflict, "there is a user of that name already, who is left as he is")
            }
        }
    }

    /// Compares the ledger with what the schedules demanded.
    /// - Parameters:
    ///   - from: nil: a day ago.
    ///   - to: nil: ten seconds ago.
    public func verify(from: Instant?, to: Instant?) async throws -> VerificationReport {
        let now = clock.now()
        let end = to ?? now.advanced(by: .seconds(-10))
        let start = from ?? end.advanced(by: .seconds(-86_400))
        return try await withPool { pool in
            let ledger = Stores(pool: pool).ledger
            var report = VerificationReport(from: start, to: end)
            let zones = SystemZoneDatabase()
            var position: JobVersion?
            while true {
                let eras = try await ledger.eras(from: start, after: position, limit: Self.page)
                for era in eras { try await check(era, ledger, zones, &report) }
                position = eras.last?.job
                if eras.count < Self.page { break }
            }
            report.contradictions = try await ledger.contradictions(from: start, through: end, limit: Self.page)
            report.verdicts = try await ledger.counts(recordedFrom: start, to: end)
            return report
        }
    }

    private static let page = 1_000
    private static let entryPage = 10_000

    private func check(
        _ era: ScheduleEra, _ ledger: LedgerStore, _ zones: SystemZoneDatabase, _ report: inout VerificationReport
    ) async throws {
        do {
            var audit = try LedgerAudit(era, from: report.from, through: report.to, zones: zones)
            var index = audit.firstIndex
            while let first = index {
                let entries = try await ledger.entries(
                    of: era.job, from: first, through: audit.lastIndex, limit: Self.entryPage)
                for entry in entries { audit.take(entry) }
                index = entries.count < Self.entryPage ? nil : entries.last.map { $0.firstIndex + 1 }
            }
            let result = audit.finish()
            report.eras += 1
            report.expected += result.expected
            report.holes += result.holes
        } catch let error as ScheduleError {
            report.unreadable.append("job '\(era.jobName)' version \(era.job.version): \(error.message)")
        }
    }

    func withPool<T: Sendable>(_ body: (PostgresPool) async throws -> T) async throws -> T {
        var configuration = PostgresConfiguration(url: url)
        configuration.applicationName = "carillon-cli"
        let pool = PostgresPool(configuration, size: 1, loop: loop, log: Log("database"))
        do {
            let value = try await body(pool)
            await pool.close()
            return value
        } catch {
            await pool.close()
            throw error
        }
    }
}

/// What `carillon verify` found.
public struct VerificationReport: Sendable {
    public var from: Instant
    public var to: Instant
    public var eras = 0
    public var expected: Int64 = 0
    public var holes: [LedgerAudit.Hole] = []
    /// Launched occurrences without a run, runs and starts that are one too many.
    public var contradictions: [LedgerContradiction] = []
    /// Schedules that cannot be computed any more, with the reason.
    public var unreadable: [String] = []
    public var verdicts: [Verdict: Int64] = [:]

    public var missing: Int64 { holes.reduce(0) { $0 + ($1.finding == LedgerAudit.noVerdict ? $1.count : 0) } }

    /// Each occurrence has exactly one verdict, and nothing recorded contradicts it.
    public var isClean: Bool { holes.isEmpty && contradictions.isEmpty && unreadable.isEmpty }

    init(from: Instant, to: Instant) {
        self.from = from
        self.to = to
    }
}
