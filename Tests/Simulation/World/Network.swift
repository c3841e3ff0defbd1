import Domain

/// Messages between hosts: delayed, lost, doubled, reordered by different delays, cut off by partitions.
///
/// Of the messages that meet a cut some are lost and some arrive after it has healed, as what TCP repeats does.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class Network: @unchecked Sendable {
    /// Probabilities for each message.
    struct Weather {
        var loss = 0.0
        var doubling = 0.0
        /// 50 to 500 ms instead of 0.1 to 2 ms.
        var slowness = 0.0
        /// 0.5 to 8 s.
        var lateness = 0.0
        /// For each statement, on top of everything else.
        var databaseDelay: ClosedRange<Int>?

        static let calm = Weather()
    }

    enum Failure: Error, Sendable {
        /// Nobody listens there.
        case refused
        case timedOut
        /// The caller was cancelled or ended.
        case givenUp
    }

    private let engine: Engine
    private var chance: SeededGenerator
    private var cuts: [Link: Int] = [:]
    private var held: [(link: Link, deliver: @Sendable () -> Void)] = []
    var weather = Weather.calm

    /// One direction: what one host sends may be lost while what it is sent arrives.
    private struct Link: Hashable {
        let from: String
        let to: String
    }

    init(engine: Engine) {
        self.engine = engine
        chance = SeededGenerator(seed: engine.seed, stream: 2)
    }

    // MARK: Partitions

    func cut(from: String, to: String) { cuts[Link(from: from, to: to), default: 0] += 1 }

    func heal(from: String, to: String) {
        let link = Link(from: from, to: to)
        guard let count = cuts[link] else { return }
        cuts[link] = count > 1 ? count - 1 : nil
        guard cuts[link] == nil else { return }
        let released = held.filter { $0.link == link }
        held.removeAll { $0.link == link }
        for message in released { engine.after(chance.duration(1...400), message.deliver) }
    }

    func healAll() {
        cuts = [:]
        let released = held
        held = []
        for message in released { engine.after(chance.duration(1...400), message.deliver) }
    }

    // MARK: Messages

    /// Sends one message. It is delivered once, never, or (where `mayDouble`) twice.
    /// - Parameter lost: called when it is not delivered for now.
    func send(
        from: String, to: String, mayDouble: Bool = false, lost: @escaping @Sendable () -> Void = {},
        _ deliver: @escaping @Sendable () -> Void
    ) {
        if mayDouble, chance.happens(weather.doubling) { carry(Link(from: from, to: to), delay(), {}, deliver) }
        guard !chance.happens(weather.loss) else { return lost() }
        carry(Link(from: from, to: to), delay(), lost, deliver)
    }

    private func carry(
        _ link: Link, _ delay: Duration, _ lost: @escaping @Sendable () -> Void,
        _ deliver: @escaping @Sendable () -> Void
    ) {
        guard cuts[link] == nil else { return meetCut(link, lost, deliver) }
        engine.after(delay) {
            if self.cuts[link] != nil { self.meetCut(link, lost, deliver) } else { deliver() }
        }
    }

    private func meetCut(_ link: Link, _ lost: () -> Void, _ deliver: @escaping @Sendable () -> Void) {
        lost()
        if chance.happens(0.3) { held.append((link, deliver)) }
    }

    private func delay() -> Duration {
        if chance.happens(weather.lateness) { return chance.duration(500...8_000) }
        if chance.happens(weather.slowness) { return chance.duration(50...500) }
        return .microseconds(chance.number(100...2_000))
    }

    /// A statement's own time.
    func databaseTime() -> Duration {
        let own = Duration.microseconds(chance.number(200...1_500))
        return weather.databaseDelay.map { own + chance.duration($0) } ?? own
    }

    // MARK: Calls

    /// A request to whatever process runs on the host when it arrives, and its answer.
    /// - Parameter serve: runs in that process; nil for one that does not do such things.
    func call<Reply: Sendable>(
        from caller: SimulationExecutor, to host: Host, timeout: Duration, mayDouble: Bool = true,
        _ serve: @escaping @Sendable (Host) -> (@Sendable () async -> Reply)?
    ) async throws(Failure) -> Reply {
        let answer: Result<Reply, Failure>? = await caller.wait { finish in
            engine.after(timeout) { finish(.failure(.timedOut)) }
            let origin = caller.host.name
            send(from: origin, to: host.name, mayDouble: mayDouble) {
                guard let executor = host.executor, !executor.isKilled, let work = serve(host) else {
                    return self.send(from: host.name, to: origin) { finish(.failure(.refused)) }
                }
                executor.start("serve") {
                    let reply = await work()
                    guard !executor.isUnwinding else { return }
                    self.send(from: host.name, to: origin, mayDouble: mayDouble) { finish(.success(reply)) }
                }
            }
        }
        guard let answer else { throw .givenUp }
        return try answer.get()
    }
}
