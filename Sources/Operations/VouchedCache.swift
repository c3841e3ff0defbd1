public import Domain
import Synchronization
import Timetable

/// Values that follow from what people have defined (jobs, catalogue, workers), kept for as long as the leader vouches
/// that none of that has changed. Where this node does not lead nothing is kept.
///
/// Nothing is kept for longer than a second, so that what somebody changes in the database by hand shows.
public final class VouchedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// What was vouched for when a value was asked for; with it alone the value can be kept.
    public struct Ticket: Sendable {
        fileprivate let mark: DefinitionsMark?
        fileprivate let at: Instant
    }

    private struct State {
        var mark: DefinitionsMark?
        var filled = Instant.distantPast
        var values: [Key: Value] = [:]
        var weight = 0
    }

    private let office: any LeaderOffice
    private let clock: any WallClock
    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: the sum of the weights of what is kept; when it is reached all is forgotten.
    public init(office: any LeaderOffice, clock: any WallClock, limit: Int) {
        self.office = office
        self.clock = clock
        self.limit = limit
    }

    /// To be taken before anything is read.
    public func ticket() -> Ticket { Ticket(mark: office.definitionsMark, at: clock.now()) }

    public func value(for key: Key, _ ticket: Ticket) -> Value? {
        guard let mark = ticket.mark else { return nil }
        return state.withLock { Self.isFresh($0, mark, at: ticket.at) ? $0.values[key] : nil }
    }

    /// Keeps a value that was made of what was read after the ticket was taken, if nothing has changed since then.
    public func keep(_ value: Value, for key: Key, weight: Int = 1, _ ticket: Ticket) {
        guard let mark = ticket.mark, weight <= limit, office.definitionsMark == mark else { return }
        state.withLock { state in
            if !Self.isFresh(state, mark, at: ticket.at) || state.weight + weight > limit {
                state = State(mark: mark, filled: ticket.at)
            }
            state.weight += weight
            state.values[key] = value
        }
    }

    /// A clock that was set back makes what is kept stale, not eternal.
    private static func isFresh(_ state: State, _ mark: DefinitionsMark, at now: Instant) -> Bool {
        guard state.mark == mark else { return false }
        let age = state.filled.duration(to: now)
        return age >= .zero && age < .seconds(1)
    }
}
