import CSpawn
import Domain
import Glibc
import Runtime
import Synchronization

/// Looks at all runs of this worker at once. Blocks: not for the loop.
final class UsageMeter: Sendable {
    /// A run that is looked at.
    struct Subject: Sendable {
        let attempt: AttemptID
        /// Its first process.
        let command: Int32
        let sandbox: String
        let group: RunGroup?
        let log: OutputLog
    }

    private struct Point {
        let time: MonotonicInstant
        /// Microseconds of processor time so far.
        let used: Int64
    }

    private struct Entry {
        let subject: Subject
        /// The last looks, the oldest first.
        var points: [Point] = []
        var memory: Int64?
    }

    private let entries = Mutex<[AttemptID: Entry]>([:])
    private let children: ChildTable
    private static let pageSize = Int64(sysconf(Int32(_SC_PAGESIZE)))
    private static let tick = 1_000_000 / Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    /// Percentages are taken over this time at least: shorter ones jump.
    private static let window: Duration = .milliseconds(900)

    init(children: ChildTable) { self.children = children }

    func add(_ subject: Subject) { entries.withLock { $0[subject.attempt] = Entry(subject: subject) } }

    func remove(_ attempt: AttemptID) { entries.withLock { $0[attempt] = nil } }

    /// One pass. Not to be called twice at once.
    func sample() -> [UsageSample] {
        let snapshot = entries.withLock { Array($0.values) }
        guard !snapshot.isEmpty else { return [] }
        let ungrouped = snapshot.filter { $0.subject.group == nil }.map(\.subject)
        let trees = ungrouped.isEmpty ? [:] : usage(of: ungrouped)
        return snapshot.map { sample($0, trees[$0.subject.attempt]) }
    }

    private struct Tree {
        var ticks: UInt64 = 0
        var pages: Int64 = 0
    }

    private func sample(_ entry: Entry, _ tree: Tree?) -> UsageSample {
        let subject = entry.subject
        let now = MonotonicInstant.now
        let used: Int64
        var memory = entry.memory
        if let group = subject.group {
            let processes = { group.processes() }
            if let time = group.processorTime() {
                used = time
                // Who has not run since the last look has not taken or freed anything.
                if memory == nil || entry.points.last?.used != time { memory = Self.resident(processes()) }
            } else {
                let table = processes().compactMap(Self.facts)
                used = Int64(clamping: table.reduce(UInt64(0)) { $0 &+ $1.processor_ticks }) * Self.tick
                memory = table.reduce(0) { $0 + $1.resident_pages } * Self.pageSize
            }
        } else if let tree {
            used = Int64(clamping: tree.ticks) * Self.tick
            memory = tree.pages * Self.pageSize
        } else {
            // Ended, or of a container whose process nobody knows; what it writes is known all the same.
            return UsageSample(attempt: subject.attempt, output: subject.log.outputBytes)
        }
        let points = entry.points + [Point(time: now, used: used)]
        let base = points.last { $0.time.duration(to: now) >= Self.window } ?? points[0]
        var cpu: Double?
        let elapsed = base.time.duration(to: now)
        if elapsed > .milliseconds(100) {
            let microseconds = Double(elapsed.components.seconds) * 1e6 + Double(elapsed.components.attoseconds) / 1e12
            cpu = (Double(max(0, used - base.used)) / microseconds * 1_000).rounded() / 10
        }
        entries.withLock { entries in
            // Ended meanwhile: then nobody wants to know.
            guard entries[subject.attempt] != nil else { return }
            entries[subject.attempt]?.points = points.suffix(3)
            entries[subject.attempt]?.memory = memory
        }
        return UsageSample(
            attempt: subject.attempt, cpu: cpu, memory: memory, output: subject.log.outputBytes,
            wasKilledForMemory: subject.group?.wasKilledForMemory() ?? false)
    }

    private static func resident(_ processes: [Int32]) -> Int64 {
        processes.reduce(0) { $0 + max(0, cspawn_resident_pages($1)) } * pageSize
    }

    private static func facts(_ process: Int32) -> cspawn_process? {
        var facts = cspawn_process()
        return cspawn_read_process(process, &facts) == 0 ? facts : nil
    }

    // MARK: Without control groups

    /// One look at all processes: each belongs to the run whose command it is, whose session or group it is in, or
    /// whose descendant it is; orphans tell by their environment.
    private func usage(of subjects: [Subject]) -> [AttemptID: Tree] {
        // The kernel's own are in group and session 0, and belong to nobody whose process is not known.
        let byCommand = Dictionary(subjects.filter { $0.command > 0 }.map { ($0.command, $0) }) { first, _ in first }
        let own = getpid()
        let table = ProcessTable.read().filter { $0.process != own && $0.process != 1 }
        var owner: [Int32: AttemptID] = [:]
        var byParent: [Int32: [Int32]] = [:]
        for process in table {
            byParent[process.parent, default: []].append(process.process)
            let subject = byCommand[process.process] ?? byCommand[process.session] ?? byCommand[process.group]
            if let subject {
                owner[process.process] = subject.attempt
            } else if process.parent == own, !children.contains(process.process) {
                let home = subjects.first {
                    cspawn_has_environment(process.process, TaskEnvironment.marker(sandbox: $0.sandbox))
                }
                owner[process.process] = home?.attempt
            }
        }
        var open = Array(owner.keys)
        while let next = open.popLast() {
            for child in byParent[next] ?? [] where owner[child] == nil {
                owner[child] = owner[next]
                open.append(child)
            }
        }
        var trees: [AttemptID: Tree] = [:]
        for process in table {
            guard let attempt = owner[process.process] else { continue }
            trees[attempt, default: Tree()].ticks &+= process.processor_ticks
            trees[attempt, default: Tree()].pages += max(0, process.resident_pages)
        }
        return trees
    }
}
