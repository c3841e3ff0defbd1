import CSpawn
import Glibc
import Runtime
import Synchronization

/// The commands that this process has started and not yet reaped: which children are known, and which are strays.
///
/// Being a subreaper, the worker inherits what daemons its commands leave behind. To wait for such a stray it must be
/// certain that it is not a command whose start has just returned from the kernel and is not in the table yet: its
/// status would be lost. So starts hold the lock for reading, and whoever looks for strays to reap for writing.
///
/// `@unchecked Sendable`: the lock is a C structure at a fixed place, reached only through its own functions.
final class ChildTable: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)
    private let known = Mutex<Set<Int32>>([])
    /// Of these, those whose end nobody waits for any more.
    private let abandoned = Mutex<Set<Int32>>([])
    private let table = Mutex(RecentTable())

    private struct RecentTable {
        var processes: [cspawn_process] = []
        var taken: MonotonicInstant?
    }

    /// When a thousand commands are ended at once, they share a look at the thousands of processes.
    private static let tableAge: Duration = .milliseconds(50)

    /// Which children a process has is a fact about the process, however many launchers are in it.
    static let ofThisProcess = ChildTable()

    private init() {
        var attributes = pthread_rwlockattr_t()
        pthread_rwlockattr_init(&attributes)
        // Two threads that start one command after the other would else keep a writer out for ever.
        pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
        pthread_rwlock_init(lock, &attributes)
        pthread_rwlockattr_destroy(&attributes)
    }

    deinit {
        pthread_rwlock_destroy(lock)
        lock.deallocate()
    }

    /// Runs the start and notes the child that it returns.
    func starting(_ start: () -> Int32?) {
        pthread_rwlock_rdlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        if let child = start() { known.withLock { _ = $0.insert(child) } }
    }

    /// Runs the body while no start is under way: a file that is written meanwhile is not open for writing in a child
    /// that has not executed yet, which would keep everybody from executing the file.
    func withoutStarts<T>(_ body: () throws(LaunchError) -> T) throws(LaunchError) -> T {
        pthread_rwlock_wrlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        return try body()
    }

    /// After the child was reaped.
    func remove(_ child: Int32) {
        known.withLock { _ = $0.remove(child) }
    }

    /// A child that ends by itself some time: it is waited for then, in passing. Does not block.
    func abandon(_ child: Int32) {
        abandoned.withLock { _ = $0.insert(child) }
        reapAbandoned()
    }

    /// Does not block.
    func reapAbandoned() {
        abandoned.withLock { abandoned in
            var end = cspawn_end()
            // -1: somebody else has waited for it.
            for child in abandoned where cspawn_reap(child, &end) != 0 {
                abandoned.remove(child)
                remove(child)
            }
        }
    }

    func contains(_ child: Int32) -> Bool { known.withLock { $0.contains(child) } }

    /// Children of this process that are not commands of its own. What it costs depends on how many strays there are,
    /// not on how many commands run: those are children of the pool's threads. Should a command be started on the first
    /// thread, it may be among them while its start is under way: it has the marks of its own try, or none yet.
    func strays() -> [Int32] {
        let children = Self.inherited() ?? Self.children()
        return known.withLock { known in children.filter { !known.contains($0) } }
    }

    /// Waits for strays that have ended. A dead one that nobody waits for stays in the kernel's table, and hides later
    /// ones from whoever waits for any child.
    ///
    /// Commands begin a session each, so a stray never is of this process's own: children that somebody else in this
    /// process has started, and waits for, are told apart by that.
    func reapStrays() {
        reapAbandoned()
        let own = getsid(0)
        func dead() -> [Int32] {
            strays().filter { child in
                var facts = cspawn_process()
                return cspawn_read_process(child, &facts) == 0 && facts.isDead && facts.session != own
            }
        }
        // The usual case must not hold up starts.
        guard !dead().isEmpty else { return }
        pthread_rwlock_wrlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        var end = cspawn_end()
        for child in dead() { _ = cspawn_reap(child, &end) }
    }

    /// All processes, as they were a short time ago at most.
    func recentProcesses() -> [cspawn_process] {
        table.withLock { table in
            if let taken = table.taken, taken.duration(to: .now) < Self.tableAge { return table.processes }
            table.processes = ProcessTable.read()
            table.taken = .now
            return table.processes
        }
    }

    /// Whether it is certain that there are none: some microseconds, for the loop.
    func hasNoStrays() -> Bool {
        guard let children = Self.inherited() else { return false }
        return children.isEmpty || known.withLock { known in children.allSatisfy(known.contains) }
    }

    /// Nil where the kernel does not tell.
    private static func inherited() -> [Int32]? { list(cspawn_list_inherited) }

    private static func children() -> [Int32] {
        // A kernel that does not list children: look at all processes.
        list(cspawn_list_children) ?? ProcessTable.read().filter { $0.parent == getpid() }.map(\.process)
    }

    private static func list(_ read: (UnsafeMutablePointer<pid_t>, Int) -> Int) -> [Int32]? {
        var capacity = 256
        while true {
            let list = [pid_t](unsafeUninitializedCapacity: capacity) { buffer, filled in
                // Never empty.
                let count = read(buffer.baseAddress.unsafelyUnwrapped, capacity)
                filled = max(0, min(count, capacity))
                if count < 0 { capacity = -1 }
            }
            if capacity < 0 { return nil }
            if list.count < capacity { return list }
            capacity *= 4
        }
    }
}

extension cspawn_process {
    /// It has ended, and nobody has waited for it yet.
    var isDead: Bool { state == CChar(bitPattern: UInt8(ascii: "Z")) }
}

enum ProcessTable {
    static func read() -> [cspawn_process] {
        var capacity = 1024
        while true {
            var list = [cspawn_process](repeating: cspawn_process(), count: capacity)
            let count = cspawn_list_processes(&list, capacity)
            if count < 0 { return [] }
            if count < capacity { return Array(list.prefix(count)) }
            capacity *= 4
        }
    }
}
