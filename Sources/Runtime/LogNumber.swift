import Synchronization

/// A number that lines of a log carry as it is at their time, such as the epoch. Safe from any thread.
public final class LogNumber: Sendable {
    private let value = Atomic<Int64>(0)

    public init() {}

    public func set(_ number: Int64) { value.store(number, ordering: .relaxed) }

    /// Nil before the first one: then lines have no such field.
    var text: String? {
        let number = value.load(ordering: .relaxed)
        return number == 0 ? nil : String(number)
    }
}
