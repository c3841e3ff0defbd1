import Glibc
import Synchronization

/// Why a bounded pool did not take work.
public enum BlockingPoolError: Error, Sendable, Equatable, CustomStringConvertible {
    case queueIsFull(limit: Int)
    case isShutDown

    public var description: String {
        switch self {
        case .queueIsFull(let limit): "the pool for blocking work is full (\(limit) waiting); try again later"
        case .isShutDown: "the pool for blocking work has been shut down"
        }
    }
}

/// A few threads for what blocks or burns CPU: name look-up, spawning, compression, password hashes. The loop's thread
/// hands work over and gets the result back on its own thread.
///
/// Threads are made when work first needs them and stay. The queue is bounded: work beyond it is refused at once.
public final class BlockingPool: Sendable {
    private struct Work {
        let number: UInt64
        let run: @Sendable () -> Void
        let abandon: @Sendable (any Error) -> Void
    }

    private struct State {
        var queue: [Work] = []
        var head = 0
        var threads = 0
        var idle = 0
        var nextNumber: UInt64 = 0
        var isShutDown = false

        var queued: Int { queue.count - head }

        mutating func pop() -> Work? {
            guard head < queue.count else { return nil }
            let work = queue[head]
            head += 1
            if head == queue.count {
                queue.removeAll(keepingCapacity: true)
                head = 0
            } else if head > 64, head * 2 > queue.count {
                queue.removeFirst(head)
                head = 0
            }
            return work
        }
    }

    private let limit: Int
    private let queueLimit: Int
    private let state: Monitor<State>

    /// - Parameters:
    ///   - threads: how many pieces of work run at once, at least 1.
    ///   - queueLimit: how many may wait beyond those.
    public init(threads: Int, queueLimit: Int) {
        limit = max(1, threads)
        self.queueLimit = max(0, queueLimit)
        state = Monitor(State())
    }

    /// Runs the body on one of the pool's threads.
    ///
    /// A task that is cancelled while its work still waits leaves the queue. Work that runs is waited for, unless it
    /// may be abandoned: then its thread finishes it and drops what comes of it.
    /// - Throws: what the body throws; `BlockingPoolError`; `CancellationError`; `SystemError` when no thread could be
    ///   made and there is none.
    public func run<T: Sendable>(
        mayBeAbandoned: Bool = false, _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try Task.checkCancellation()
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        let answer = Answer<T>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
                answer.expect(continuation)
                let work = Work(number: number) {
                    answer.give(Result { try body() })
                } abandon: {
                    answer.give(.failure($0))
                }
                add(work)
            }
        } onCancel: {
            cancel(number)
            if mayBeAbandoned { answer.give(.failure(CancellationError())) }
        }
    }

    /// Refuses new work, abandons what waits (its callers get `isShutDown`) and lets the threads end after the work
    /// that they are at.
    public func shutDown() {
        let abandoned = state.withLock { state in
            state.isShutDown = true
            let rest = Array(state.queue[state.head...])
            state.queue = []
            state.head = 0
            return rest
        }
        state.wakeAll()
        for work in abandoned { work.abandon(BlockingPoolError.isShutDown) }
    }

    private func add(_ work: Work) {
        enum Answer { case queued, needsThread, refused(BlockingPoolError) }
        let answer: Answer = state.withLock { state in
            if state.isShutDown { return .refused(.isShutDown) }
            let free = state.idle + limit - state.threads
            guard state.queued < queueLimit + free else { return .refused(.queueIsFull(limit: queueLimit)) }
            state.queue.append(work)
            guard state.queued > state.idle, state.threads < limit else { return .queued }
            state.threads += 1
            return .needsThread
        }
        switch answer {
        case .queued: state.wakeOne()
        case .refused(let error): work.abandon(error)
        case .needsThread: startThread()
        }
    }

    private func startThread() {
        do {
            // Holds only the state: a pool that is dropped shuts down in `deinit`.
            let state = self.state
            try Thread.start(named: "blocking") { Self.work(state) }
        } catch {
            let stranded = state.withLock { state -> [Work] in
                state.threads -= 1
                guard state.threads == 0 else { return [] }
                let rest = Array(state.queue[state.head...])
                state.queue = []
                state.head = 0
                return rest
            }
            for work in stranded { work.abandon(error) }
        }
    }

    private static func work(_ monitor: Monitor<State>) {
        while true {
            var isIdle = false
            let next: Work? = monitor.waitFor { state in
                let work = state.pop()
                guard work != nil || state.isShutDown else {
                    if !isIdle { state.idle += 1 }
                    isIdle = true
                    return nil
                }
                if isIdle { state.idle -= 1 }
                return .some(work)
            }
            guard let work = next else { return }
            work.run()
        }
    }

    private func cancel(_ number: UInt64) {
        let work = state.withLock { state -> Work? in
            guard let index = state.queue[state.head...].firstIndex(where: { $0.number == number }) else { return nil }
            return state.queue.remove(at: index)
        }
        work?.abandon(CancellationError())
    }

    deinit { shutDown() }
}

/// Resumes one continuation with whichever answer comes first.
private final class Answer<T: Sendable>: Sendable {
    private enum State {
        case open
        case expected(CheckedContinuation<T, any Error>)
        case early(Result<T, any Error>)
        case given
    }

    private let state = Mutex(State.open)

    func expect(_ continuation: CheckedContinuation<T, any Error>) {
        let early = state.withLock { state -> Result<T, any Error>? in
            if case .early(let result) = state {
                state = .given
                return result
            }
            state = .expected(continuation)
            return nil
        }
        if let early { continuation.resume(with: early) }
    }

    func give(_ result: Result<T, any Error>) {
        let continuation = state.withLock { state -> CheckedContinuation<T, any Error>? in
            switch state {
            case .open:
                state = .early(result)
                return nil
            case .expected(let continuation):
                state = .given
                return continuation
            case .early, .given:
                return nil
            }
        }
        continuation?.resume(with: result)
    }
}

/// A lock with a condition: the one thing that `Synchronization` lacks.
///
/// `@unchecked Sendable`: the value is reached only while the mutex is held.
private final class Monitor<Value>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let value = UnsafeMutablePointer<Value>.allocate(capacity: 1)

    init(_ initial: Value) {
        value.initialize(to: initial)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        value.deinitialize(count: 1)
        value.deallocate()
        condition.deallocate()
        mutex.deallocate()
    }

    func withLock<T>(_ body: (inout Value) -> T) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value.pointee)
    }

    /// Asks again after each wake-up until there is an answer. The value is not held while it waits.
    func waitFor<T>(_ ask: (inout Value) -> T?) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let answer = ask(&value.pointee) { return answer }
            pthread_cond_wait(condition, mutex)
        }
    }

    func wakeOne() { pthread_cond_signal(condition) }

    func wakeAll() { pthread_cond_broadcast(condition) }
}
