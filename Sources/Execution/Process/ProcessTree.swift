import CSpawn
import Glibc

/// One process, at one time.
struct ProcessMember: Hashable, Sendable {
    let process: Int32
    let startTime: UInt64
    let group: Int32

    /// Harmless when it has ended meanwhile, whoever has its number now.
    func signal(_ number: Int32) { _ = cspawn_signal(process, startTime, number) }
}

/// Which processes belong to a try. Reads /proc: blocks, and is not for the loop.
enum ProcessTree {
    /// The command and its descendants, while the command has not been reaped (so that its number is its own). The
    /// newest are missing if the table is some milliseconds old: who must have them all asks again.
    static func members(command: Int32, sandbox: String, children: ChildTable) -> [ProcessMember] {
        let marker = TaskEnvironment.marker(sandbox: sandbox)
        let own = getpid()
        return closure(of: children.recentProcesses()) { process in
            if process.process == command || process.group == command || process.session == command { return true }
            return process.parent == own && !children.contains(process.process)
                && cspawn_has_environment(process.process, marker)
        }
    }

    /// What is left after the command was reaped. All its orphans are children of this process, so that the usual
    /// case, none, costs no look at all processes.
    static func remains(command: Int32, sandbox: String, children: ChildTable) -> [ProcessMember] {
        let marker = TaskEnvironment.marker(sandbox: sandbox)
        var orphans: Set<Int32> = []
        for stray in children.strays() {
            var facts = cspawn_process()
            guard cspawn_read_process(stray, &facts) == 0 else { continue }
            let belongs =
                facts.group == command || facts.session == command || cspawn_has_environment(stray, marker)
            guard belongs else { continue }
            var end = cspawn_end()
            if facts.isDead { _ = cspawn_reap(stray, &end) } else { orphans.insert(stray) }
        }
        guard !orphans.isEmpty else { return [] }
        return closure(of: ProcessTable.read()) { orphans.contains($0.process) }
    }

    /// What a former process of this worker has left of a try: they are not its children any more.
    static func survivors(process: ProcessIdentity?, sandbox: String) -> [ProcessMember] {
        let marker = TaskEnvironment.marker(sandbox: sandbox)
        var facts = cspawn_process()
        // Its number may be another's by now; then its group and session are, too.
        let command = process.flatMap { identity in
            cspawn_read_process(identity.process, &facts) == 0 && facts.start_time == identity.startTime
                ? identity.process : nil
        }
        return closure(of: ProcessTable.read()) { process in
            if let command, process.process == command || process.group == command || process.session == command {
                return true
            }
            return cspawn_has_environment(process.process, marker)
        }
    }

    /// What lives of a run that has a supervisor: children of it are what the command has left behind.
    static func supervised(_ command: ProcessIdentity, sandbox: String, supervisor: ProcessMember) -> [ProcessMember] {
        var facts = cspawn_process()
        let isThere =
            cspawn_read_process(supervisor.process, &facts) == 0 && facts.start_time == supervisor.startTime
        let marker = TaskEnvironment.marker(sandbox: sandbox)
        return closure(of: ProcessTable.read()) { process in
            if process.process == supervisor.process { return false }
            if isThere, process.parent == supervisor.process { return true }
            if process.process == command.process { return process.start_time == command.startTime }
            return cspawn_has_environment(process.process, marker)
        }
    }

    /// Live processes that are roots or descend from one.
    private static func closure(
        of table: [cspawn_process], isRoot: (cspawn_process) -> Bool
    ) -> [ProcessMember] {
        let own = getpid()
        let processes = table.filter { $0.process != own && $0.process != 1 }
        var byParent: [Int32: [Int32]] = [:]
        for process in processes { byParent[process.parent, default: []].append(process.process) }
        var members = Set(processes.filter(isRoot).map(\.process))
        var open = Array(members)
        while let next = open.popLast() {
            for child in byParent[next] ?? [] where members.insert(child).inserted { open.append(child) }
        }
        return processes.filter { members.contains($0.process) && !$0.isDead }
            .map { ProcessMember(process: $0.process, startTime: $0.start_time, group: $0.group) }
    }
}
