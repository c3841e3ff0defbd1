public import Domain
import PostgresClient
public import Timetable

/// Who leads, for whoever does not take part in the election.
public struct LeaderReader: Sendable {
    let access: Access

    public struct View: Hashable, Sendable {
        /// The row; nil before the first election.
        public var leader: LeaderRecord?
        /// Some session holds the election's lock now. If none does, the row tells only of the past.
        public var isHeld: Bool
        public var elected: Instant?
        public init(leader: LeaderRecord?, isHeld: Bool, elected: Instant?) {
            self.leader = leader
            self.isHeld = isHeld
            self.elected = elected
        }
    }

    public func read(deadline: Duration = .seconds(2)) async throws(StoreError) -> View {
        let view = try await access.query(Statement(Self.leader), deadline: deadline).first { row in
            let leader = try LeaderRow.read(&row)
            return View(leader: leader, isHeld: try row.bool(), elected: try row.optionalInstant())
        }
        return view ?? View(leader: nil, isHeld: false, elected: nil)
    }

    private static let leader = """
        SELECT \(LeaderRow.columns), \(LockSQL.isHeld), l.elected FROM carillon.leadership l WHERE l.id = 1
        """
}
