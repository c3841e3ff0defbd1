public import Domain
import Synchronization
import Timetable

/// Values that follow from what people have defined (jobs, catalogue, workers), kept for as long as the leader vouches
/// that none of that has changed. Where this node does not lead nothing is kept.
///
/// After a second one of those who ask reads anew, so that what somebody changes in the database by hand shows; the
/// others are given what is there meanwhile.
public final class VouchedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// What was vouched for when a value was asked for; with it alone the value can be kept.
    public struct Ticket: Sendable {
        fileprivate let mark: DefinitionsMark?
        fileprivate let at: Instant
    }

    private struct Entry {
        var value: Value
        var weight: Int
        /// When it was read, or is being read anew.
        var at: Instant
    }

    private struct State {
        var mark: DefinitionsMark?
        var entries: [Key: Entry] = [:]
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

    /// What is there and need not be read anew by anybody.
    public func value(for key: Key) -> Value? {
        let ticket = ticket()
        guard let mark = ticket.mark else { return nil }
        return state.withLock { state in
            guard state.mark == mark, let entry = state.entries[key] else { return nil }
            let age = entry.at.duration(to: ticket.at)
            return age >= .zero && age < .seconds(1) ? entry.value : nil
        }
    }

    /// Nil also for the one who is to read it anew.
    public func value(for key: Key, _ ticket: Ticket) -> Value? {
        guard let mark = ticket.mark else { return nil }
        return state.withLock { state in
            guard state.mark == mark, let entry = state.entries[key] else { return nil }
            let age = entry.at.duration(to: ticket.at)
            // A clock that was set back makes what is kept old, not eternal.
            guard age >= .zero && age < .seconds(1) else {
                state.entries[key]?.at = ticket.at
                return nil
            }
            return entry.value
        }
    }

    /// Keeps a value that was made of what was read after the ticket was taken, if nothing has changed since then.
    public func keep(_ value: Value, for key: Key, weight: Int = 1, _ ticket: Ticket) {
        guard let mark = ticket.mark, weight <= limit, office.definitionsMark == mark else { return }
        state.withLock { state in
            if state.mark != mark { state = State(mark: mark) }
            state.weight -= state.entries.removeValue(forKey: key)?.weight ?? 0
            if state.weight + weight > limit { state = State(mark: mark) }
            state.weight += weight
            state.entries[key] = Entry(value: value, weight: weight, at: ticket.at)
        }
    }
}
