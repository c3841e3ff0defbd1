import CLinux
import Glibc
import Synchronization

/// Signals of the process as values, read from a signalfd on the loop.
///
/// Made before the process starts any thread: the signals are blocked in the calling thread, later threads inherit
/// that, and a thread that does not have them blocked would be killed by them. Children must unblock them.
public final class SignalStream: Sendable {
    private struct State {
        var received: [Int32] = []
        var watch: Watch?
    }

    /// Signals kept while nobody asks; more of them tell nothing new.
    private static let keptSignals = 16

    private let descriptor: Int32
    private let state = Mutex(State())
    private let arrived = WakeUp()

    public init(loop: EventLoop, signals: [Int32]) throws {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let descriptor = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard descriptor >= 0 else { throw SystemError(call: "signalfd", number: errno) }
        self.descriptor = descriptor
        do {
            let watch = try loop.watch(descriptor, .read) { [weak self] _ in self?.receive() }
            state.withLock { $0.watch = watch }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// The next signal's number, in the order of arrival. One caller at a time.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func next() async throws -> Int32 {
        while true {
            let signal = state.withLock { $0.received.isEmpty ? nil : $0.received.removeFirst() }
            if let signal { return signal }
            try await arrived.wait()
        }
    }

    /// Stops listening, on the loop's thread. The signals stay blocked.
    public func close() {
        guard let watch = state.withLock({ $0.watch.take() }) else { return }
        watch.cancel()
        Glibc.close(descriptor)
    }

    private func receive() {
        var info = signalfd_siginfo()
        while read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
            let number = Int32(info.ssi_signo)
            state.withLock { if $0.received.count < Self.keptSignals { $0.received.append(number) } }
        }
        arrived.signal()
    }
}
