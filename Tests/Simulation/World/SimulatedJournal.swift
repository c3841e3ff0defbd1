import Execution

/// A disk with one journal. Writes take time; what was not flushed may be lost with the power.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class SimulatedDisk: @unchecked Sendable {
    private let engine: Engine
    private var chance: SeededGenerator
    private var records: [JournalRecord] = []
    private var flushed = 0
    /// When the last write that was begun will be done.
    private var busyUntil: UInt64 = 0
    /// Probability that a write fails, as on a full disk.
    var failures = 0.0

    init(engine: Engine, number: Int) {
        self.engine = engine
        chance = SeededGenerator(seed: engine.seed, stream: 100 + UInt64(number))
    }

    var image: JournalImage {
        var image = JournalImage()
        for record in records { image.apply(record) }
        return image
    }

    func write(
        _ added: [JournalRecord], durable: Bool, from process: SimulationExecutor,
        _ completion: @escaping @Sendable (JournalError?) -> Void
    ) {
        let time = chance.happens(0.01) ? chance.duration(50...400) : chance.duration(0...4)
        busyUntil = max(busyUntil, engine.now) + time.nanoseconds
        engine.after(.nanoseconds(Int64(busyUntil - engine.now))) {
            guard !process.isKilled, !process.isUnwinding else { return }
            if self.chance.happens(self.failures) { return completion(JournalError("the worker's disk is full")) }
            self.records += added
            if durable { self.flushed = self.records.count }
            completion(nil)
        }
    }

    /// The power goes: of what was not flushed a part is left.
    func losePower() {
        let kept = flushed + chance.below(records.count - flushed + 1)
        records.removeLast(records.count - kept)
        flushed = kept
    }
}

/// The journal of one process of a worker (production: `FileJournal`).
struct SimulatedJournal: AttemptJournal {
    let disk: SimulatedDisk
    let process: SimulationExecutor

    func open() async throws(JournalError) -> JournalImage { disk.image }

    func enqueue(
        _ records: [JournalRecord], durable: Bool, completion: @escaping @Sendable (JournalError?) -> Void
    ) {
        // What is told at the end of the simulation must not wait for ever.
        guard !process.isUnwinding else { return completion(JournalError("the simulation is over")) }
        let told = ToldOnce(completion)
        let number = process.register { told.tell(JournalError("the simulation is over")) }
        disk.write(records, durable: durable, from: process) { failure in
            process.unregister(number)
            told.tell(failure)
        }
    }
}

/// `@unchecked Sendable`: touched by the simulation's thread alone.
private final class ToldOnce: @unchecked Sendable {
    private var completion: (@Sendable (JournalError?) -> Void)?
    init(_ completion: @escaping @Sendable (JournalError?) -> Void) { self.completion = completion }
    func tell(_ failure: JournalError?) { completion.take()?(failure) }
}
