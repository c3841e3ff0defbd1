import Foundation

/// Says which simulations were at work when the process dies of a signal, and the command for each that shows it again:
/// a crash, the stack's overflow included, ends the process before any test can report.
///
/// What a signal's handler may do is next to nothing, so the text lies ready before a simulation begins. The handler
/// writes it and lets the signal have its former effect. A process that is killed (or runs out of memory) can say
/// nothing: for that, `Progress` has written how far it had come.
enum CrashReport {
    /// Simulations side by side, at most.
    private static let slots = 16
    private static let slotSize = 200
    private static let signals = [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE]

    /// Its text, or a zero byte at the beginning.
    ///
    /// `nonisolated(unsafe)`: each slot is written by the one thread that simulates there, and read by the handler.
    nonisolated(unsafe) private static let texts: UnsafeMutablePointer<UInt8> = {
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: slots * slotSize)
        memory.initialize(repeating: 0, count: slots * slotSize)
        return memory
    }()
    /// `nonisolated(unsafe)`: written once, before the handlers are there.
    nonisolated(unsafe) private static let former = UnsafeMutablePointer<sigaction>.allocate(capacity: signals.count)

    private static let isInstalled: Bool = {
        _ = texts
        for (position, signal) in signals.enumerated() {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { CrashReport.handle($0) }
            action.sa_flags = SA_ONSTACK
            sigaction(signal, &action, former + position)
        }
        return true
    }()

    /// Runs a simulation; should the process die in it, the text stands on standard error.
    static func during<T>(_ what: String, slot: Int, _ body: () -> T) -> T {
        precondition(isInstalled && slot < slots)
        giveThreadItsOwnStack()
        let place = texts + slot * slotSize
        let bytes = Array((what + "\n").utf8.prefix(slotSize - 1)) + [0]
        for (index, byte) in bytes.enumerated().reversed() { place[index] = byte }
        defer { place[0] = 0 }
        return body()
    }

    /// The handler cannot run on a stack that is full.
    private static func giveThreadItsOwnStack() {
        var present = stack_t()
        sigaltstack(nil, &present)
        guard present.ss_flags & Int32(SS_DISABLE) != 0 else { return }
        let size = 65_536
        // As long as the thread lives, which nobody tells us the end of: a few of them in all.
        var own = stack_t(ss_sp: malloc(size), ss_flags: 0, ss_size: size)
        sigaltstack(&own, nil)
    }

    private static func handle(_ signal: Int32) {
        let head: StaticString = "\nthe process dies of a signal in the simulation of\n"
        _ = write(STDERR_FILENO, head.utf8Start, head.utf8CodeUnitCount)
        var slot = 0
        while slot < slots {
            let text = texts + slot * slotSize
            _ = write(STDERR_FILENO, text, strlen(UnsafePointer<CChar>(OpaquePointer(text))))
            slot += 1
        }
        // What raised it is executed again when this returns, or it is raised again, with the former handler in place.
        var position = 0
        while position < signals.count {
            sigaction(signals[position], former + position, nil)
            position += 1
        }
        raise(signal)
    }
}

/// How far a long run has come, on standard error and at once.
struct Progress {
    /// Simulations between two lines.
    static let step = 100
    /// Megabytes beyond which simulations leak, long before the system ends the process without a word.
    static let memoryLimit = 6_000

    let total: Int
    private let begin = Date()
    private var done = 0

    init(total: Int) { self.total = total }

    mutating func finished(_ seed: UInt64) {
        done += 1
        guard total > 2 * Self.step, done.isMultiple(of: Self.step) || done == total else { return }
        let seconds = Int(Date().timeIntervalSince(begin))
        let line =
            "simulation: \(done) of \(total), the last seed \(seed), \(seconds) s, \(Self.residentMegabytes) MB\n"
        FileHandle.standardError.write(Data(line.utf8))
    }

    static var residentMegabytes: Int {
        // Without /proc nothing is known, which is no failure.
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE))) / 1_048_576
    }
}
