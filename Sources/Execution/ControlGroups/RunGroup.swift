import CSpawn
import Glibc
import Synchronization

/// The control groups of one run: one directory on a machine of version 2, one for each controller else.
final class RunGroup: Sendable {
    let name: String
    private let roots: GroupRoots
    /// Files `tasks` of version 1, for the child.
    let tasks: [Int32]
    /// The directory of version 2, for the child to be born in; -1: none.
    let unified: Int32
    /// Its `cgroup.procs`; -1: none.
    let unifiedProcesses: Int32
    private let state = Mutex(State())

    private struct State {
        var limits: GroupLimits?
        /// Count of kills when the group was given out.
        var killsBefore: Int64 = 0
        /// Microseconds of processor time since the quota was made whole.
        var spent: Int64 = 0
        /// What the run that it was given to last has used; nil: that run has not ended, or nobody knows.
        var lastUse: Int64?
        var isOpen = true
        var isSpent = false
    }

    /// Nil when its files cannot be opened; `errno` says why.
    init?(name: String, roots: GroupRoots) {
        self.name = name
        self.roots = roots
        var opened: [Int32] = []
        for root in roots.version1 { opened.append(open("\(root.path)/\(name)/tasks", O_WRONLY | O_CLOEXEC)) }
        var (directory, processes): (Int32, Int32) = (-1, -1)
        if let root = roots.unified {
            directory = open("\(root.path)/\(name)", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            processes = open("\(root.path)/\(name)/cgroup.procs", O_WRONLY | O_CLOEXEC)
        }
        tasks = opened
        unified = directory
        unifiedProcesses = processes
        let isWhole = !opened.contains { $0 < 0 } && (roots.unified == nil || (directory >= 0 && processes >= 0))
        guard isWhole else {
            let number = errno
            close()
            errno = number
            return nil
        }
    }

    deinit { close() }

    var limits: GroupLimits? { state.withLock { $0.limits } }

    /// Not to be used again: it has refused a command, or was killed (kernels from 6.14 on kill what is born in a
    /// group on which `cgroup.kill` was ever used: they compare with the count of kills in the parent's group).
    var isSpent: Bool { state.withLock { $0.isSpent } }

    /// Closes what a child needs; the rest goes by paths.
    func close() {
        let wasOpen = state.withLock { state in
            defer { state.isOpen = false }
            return state.isOpen
        }
        guard wasOpen else { return }
        for descriptor in tasks + [unified, unifiedProcesses] where descriptor >= 0 { Glibc.close(descriptor) }
    }

    func remove() {
        close()
        roots.remove(name)
    }

    /// The part of a quota that may be missing at the start of a run.
    private static let bite: Int64 = 4

    // MARK: Limits

    /// - Throws: `LaunchError` when one of them cannot be set.
    func set(_ limits: GroupLimits) throws(LaunchError) {
        let before = state.withLock { $0.limits }
        if before != limits {
            state.withLock { $0.limits = nil }
            if before == nil || before?.memoryBytes != limits.memoryBytes { try setMemory(limits.memoryBytes) }
            if before == nil || before?.quota != limits.quota { try setQuota(limits.quota) }
            if before == nil || before?.weight != limits.weight { try setWeight(limits.weight) }
            if before == nil || before?.processes != limits.processes { try setProcesses(limits.processes) }
            state.withLock { state in
                state.spent = 0
                state.lastUse = nil
            }
        } else if let quota = limits.quota {
            try refill(quota)
        }
        let kills = limits.memoryBytes == nil ? 0 : killCount()
        state.withLock { state in
            state.limits = limits
            state.killsBefore = kills
        }
    }

    /// The kernel's kills in it before it was given out.
    var killsBefore: Int64 { state.withLock { $0.killsBefore } }

    /// - Parameter killsBefore: as it was when the group was given out to the run that is in it.
    /// - Throws: `LaunchError` when one of them cannot be set; what was killed for memory is told apart all the same.
    func restore(_ limits: GroupLimits, killsBefore: Int64) throws(LaunchError) {
        defer {
            // Fewer than then: the kernel has begun to count anew.
            let kills = min(killsBefore, killCount())
            state.withLock { state in
                state.limits = limits
                state.killsBefore = kills
            }
        }
        try set(limits)
    }

    private func setMemory(_ bytes: Int64?) throws(LaunchError) {
        guard let root = roots.memory else { return }
        if root.isVersion2 {
            try put(bytes.map { "\($0)" } ?? "max", "memory.max", root)
            // The whole group goes when the kernel must kill, not one process of it at random.
            try put("1", "memory.oom.group", root)
            // Swap would only make it slower to die. Machines without swap have no such file.
            _ = GroupFile.write(bytes == nil ? "max" : "0", to: path(root, "memory.swap.max"))
            return
        }
        let text = bytes.map { "\($0)" } ?? "-1"
        // With swap must never be less than without: so one after the other, twice.
        _ = GroupFile.write("-1", to: path(root, "memory.memsw.limit_in_bytes"))
        if !GroupFile.write(text, to: path(root, "memory.limit_in_bytes")) {
            // Pages of files that a former run has read are counted still.
            _ = GroupFile.write("0", to: path(root, "memory.force_empty"))
            try put(text, "memory.limit_in_bytes", root)
        }
        _ = GroupFile.write(text, to: path(root, "memory.memsw.limit_in_bytes"))
    }

    private func setQuota(_ quota: Int64?) throws(LaunchError) {
        guard let root = roots.cpu else { return }
        if root.isVersion2 {
            try put("\(quota.map { "\($0)" } ?? "max") \(GroupLimits.period)", "cpu.max", root)
        } else {
            try put("-1", "cpu.cfs_quota_us", root)
            guard let quota else { return }
            try put("\(GroupLimits.period)", "cpu.cfs_period_us", root)
            try put("\(quota)", "cpu.cfs_quota_us", root)
        }
    }

    /// What former runs in this group have used up of the current second is not the next one's: else short runs that
    /// follow each other would stand still until the second is over. The kernel makes a quota whole that is written,
    /// which it needs longer for the more groups there are, so that is not done for each small bite.
    private func refill(_ quota: Int64) throws(LaunchError) {
        let isWhole = state.withLock { state in
            defer { state.lastUse = nil }
            guard let lastUse = state.lastUse, state.spent + lastUse < quota / Self.bite else {
                state.spent = 0
                return false
            }
            state.spent += lastUse
            return true
        }
        guard !isWhole, let root = roots.cpu else { return }
        let text = root.isVersion2 ? "\(quota) \(GroupLimits.period)" : "\(quota)"
        try put(text, root.isVersion2 ? "cpu.max" : "cpu.cfs_quota_us", root)
    }

    /// Told by whoever has waited for the run's command. Nil: others have used something as well.
    func noteUse(microseconds: Int64?) { state.withLock { $0.lastUse = microseconds } }

    private func setWeight(_ weight: Int64) throws(LaunchError) {
        guard let root = roots.cpu else { return }
        if root.isVersion2 {
            try put("\(min(max(1, weight / 10), 10_000))", "cpu.weight", root)
        } else {
            try put("\(min(max(2, weight * 1_024 / 1_000), 262_144))", "cpu.shares", root)
        }
    }

    private func setProcesses(_ limit: Int64?) throws(LaunchError) {
        guard let root = roots.processes else { return }
        try put(limit.map { "\($0)" } ?? "max", "pids.max", root)
    }

    /// What is to end shall not wait for its next second to do so.
    func liftQuota() {
        guard let root = roots.cpu, state.withLock({ $0.limits?.quota }) != nil else { return }
        state.withLock { $0.limits?.quota = nil }
        // It ends more slowly then.
        _ =
            root.isVersion2
            ? GroupFile.write("max \(GroupLimits.period)", to: path(root, "cpu.max"))
            : GroupFile.write("-1", to: path(root, "cpu.cfs_quota_us"))
    }

    // MARK: What is in it

    /// Numbers of its processes, zombies excluded.
    func processes() -> [Int32] {
        guard let root = roots.all.first else { return [] }
        return GroupFile.numbers(GroupFile.read(path(root, "cgroup.procs")))
    }

    enum Occupancy { case empty, occupied, gone }

    func occupancy() -> Occupancy {
        guard let root = roots.all.first else { return .empty }
        // One that cannot be read is not known to be empty.
        guard let bytes = GroupFile.read(path(root, "cgroup.procs")) else {
            return errno == ENOENT || errno == ENODEV ? .gone : .occupied
        }
        return bytes.isEmpty ? .empty : .occupied
    }

    func isEmpty() -> Bool { occupancy() != .occupied }

    /// It has refused a command: it is not given to another one.
    func spoil() { state.withLock { $0.isSpent = true } }

    /// Its processes as they can be signalled: a number that was freed and given to a stranger meanwhile is left out.
    func members() -> [ProcessMember] {
        var found: [ProcessMember] = []
        var facts = cspawn_process()
        for process in processes() where cspawn_read_process(process, &facts) == 0 {
            found.append(ProcessMember(process: process, startTime: facts.start_time, group: facts.group))
        }
        guard !found.isEmpty else { return [] }
        let still = Set(processes())
        return found.filter { still.contains($0.process) }
    }

    /// Microseconds of processor time that it has used; nil where nobody counts.
    func processorTime() -> Int64? {
        if let root = roots.unified ?? (roots.cpu?.isVersion2 == true ? roots.cpu : nil) {
            return GroupFile.value("usage_usec", in: GroupFile.read(path(root, "cpu.stat")))
        }
        guard let root = roots.accounting else { return nil }
        return GroupFile.read(path(root, "cpuacct.usage")).flatMap { GroupFile.number($0) }.map { $0 / 1_000 }
    }

    /// The kernel has killed something in it because it had no memory left, since `set`.
    func wasKilledForMemory() -> Bool {
        let (isLimited, before) = state.withLock { ($0.limits?.memoryBytes != nil, $0.killsBefore) }
        return isLimited && killCount() > before
    }

    private func killCount() -> Int64 {
        guard let root = roots.memory else { return 0 }
        let file = root.isVersion2 ? "memory.events" : "memory.oom_control"
        return GroupFile.value("oom_kill", in: GroupFile.read(path(root, file))) ?? 0
    }

    // MARK: Its end

    /// Kills all that is in it, also what is being born: frozen first where the kernel cannot do it in one step.
    /// What was born in between is left to the next call; blocks for some milliseconds at most.
    func kill() {
        liftQuota()
        state.withLock { $0.isSpent = true }
        if let root = roots.unified, GroupFile.write("1", to: path(root, "cgroup.kill")) { return }
        let frozen = freeze(true)
        for member in members() { member.signal(SIGKILL) }
        if frozen { _ = freeze(false) }
    }

    private func freeze(_ isFrozen: Bool) -> Bool {
        if let root = roots.unified { return GroupFile.write(isFrozen ? "1" : "0", to: path(root, "cgroup.freeze")) }
        guard let root = roots.freezer else { return false }
        return GroupFile.write(isFrozen ? "FROZEN" : "THAWED", to: path(root, "freezer.state"))
    }

    private func path(_ root: GroupRoots.Root, _ file: String) -> String { "\(root.path)/\(name)/\(file)" }

    private func put(_ text: String, _ file: String, _ root: GroupRoots.Root) throws(LaunchError) {
        guard !GroupFile.write(text, to: path(root, file)) else { return }
        throw FileFailure.launch("cannot set \(file) to \(text) in the control group of the run")
    }
}
