// ControlGroups: each run in a group of the kernel's, which limits it, accounts for it, and finds all of it.
//
// Invariants
// - Nothing but children of the worker's own group (or of one that the operator names) is made, written to or removed.
//   What the machine has is used as it is: version 2, version 1, both at once, or nothing.
// - A group is given out empty and comes back empty. One that still has a process is never used again, nor one that was
//   killed.
// - A limit that was announced is set before the command runs, or the command does not run.
//
// A command must be in its groups before it is executed, and joining is the expensive part: a write to `cgroup.procs`
// waits for all processors (1 ms). So a child is born in its group of version 2 (clone3), and puts itself into those of
// version 1 by their file `tasks`, which costs some microseconds. Making the four directories of a hybrid machine takes
// 0.4 ms, so groups are kept and used again; those whose limits fit need no write at all.
//
// It knows nothing of runs, logs or the network. Who calls it: `SpawnLauncher`.

import Domain
import Glibc
import Runtime
import Synchronization

/// What a worker shall enforce, and where.
public struct ControlGroupSettings: Sendable, Hashable {
    /// Limits that are wanted; those that the machine has no means for are left out, with a warning.
    public var enforced: Set<EnforcedLimit> = Set(EnforcedLimit.allCases)
    /// Path of the group below which groups are made, as `/proc/self/cgroup` writes it; empty: this process's own.
    public var parent = ""
    /// False: no groups at all.
    public var isWanted = true

    public init() {}
}

/// A hard limit that the kernel holds.
public enum EnforcedLimit: String, CaseIterable, Sendable, Hashable {
    /// A run that needs more than its job's `memory` is killed.
    case memory
    /// A run gets no more than its job's `cpus` in the long run (counted by the second). Without it, `cpus` only decide
    /// who gets how much of a processor that several want.
    case cpu
    /// No more processes and threads than the job's or the worker's limit.
    case processes
}

/// What this machine lets a worker do.
public struct GroupCapabilities: Sendable, Hashable {
    /// `v2`, `v1`, `hybrid` or `none`.
    public var kind: String
    public var enforced: Set<EnforcedLimit>
    /// Why something that was wanted is missing, for people.
    public var lacks: [String]

    /// "cpu,memory,processes", or "none".
    public var text: String { enforced.isEmpty ? "none" : enforced.map(\.rawValue).sorted().joined(separator: ",") }

    static let none = GroupCapabilities(kind: "none", enforced: [], lacks: [])
}

/// The groups of one worker.
public final class ControlGroups: Sendable {
    public let capabilities: GroupCapabilities
    let roots: GroupRoots
    private struct State {
        var idle: [RunGroup] = []
        /// Names of those that are given out, or are being made or made ready for it: `tidy` must not find one that is
        /// neither here nor idle, or a run gets a group that is gone.
        var used: Set<String> = []
        var next = 0
        /// Names of those that a former process of this worker has left.
        var left: Set<String> = []
    }
    private let state = Mutex(State())

    /// Idle groups that are kept; those of a burst are removed again.
    private static let keptIdle = 64

    init(roots: GroupRoots, capabilities: GroupCapabilities) {
        self.roots = roots
        self.capabilities = capabilities
        let left = roots.names()
        // Behind them, so that what they hold is never mistaken for a new run's.
        let next = left.compactMap(GroupRoots.number(of:)).max().map { $0 + 1 } ?? 0
        state.withLock { state in
            state.left = left
            state.next = next
        }
    }

    /// A group with these limits. Blocks for microseconds, or half a millisecond when one must be made.
    /// - Throws: `LaunchError` when a limit cannot be set.
    func take(_ wanted: GroupLimits) throws(LaunchError) -> RunGroup {
        let limits = wanted.reduced(to: capabilities.enforced, has: roots)
        while let group = idle(for: limits) {
            do throws(LaunchError) {
                // Somebody else may have removed it.
                if roots.stands(group.name) {
                    try group.set(limits)
                    return group
                }
            } catch {
                // What a former run has left in it (pages of its files, say) does not fit into the new limit.
            }
            drop(group)
        }
        let group = try make()
        do throws(LaunchError) {
            try group.set(limits)
            return group
        } catch {
            drop(group)
            throw error
        }
    }

    private func drop(_ group: RunGroup) {
        group.remove()
        state.withLock { _ = $0.used.remove(group.name) }
    }

    /// After the run. A group that is not empty is abandoned; `tidy` removes it when it has become so.
    func giveBack(_ group: RunGroup) {
        let occupancy = group.occupancy()
        guard occupancy != .occupied else {
            group.close()
            state.withLock { _ = $0.used.remove(group.name) }
            return
        }
        let isKept = state.withLock { state in
            guard state.idle.count < Self.keptIdle, occupancy == .empty, !group.isSpent else { return false }
            state.used.remove(group.name)
            state.idle.append(group)
            return true
        }
        if !isKept { drop(group) }
    }

    /// The group of a run that a former process of this worker has started; nil when it is gone.
    func adopt(_ name: String) -> RunGroup? {
        guard GroupRoots.number(of: name) != nil, roots.exists(name) else { return nil }
        guard let group = RunGroup(name: name, roots: roots) else { return nil }
        state.withLock { state in
            state.left.remove(name)
            state.used.insert(name)
        }
        return group
    }

    /// Once more the limits that a former process of this worker has set: whoever manages the machine's groups may have
    /// taken controllers away while nobody was there, as systemd does when it ends a service, and the limits with them.
    /// - Throws: `LaunchError` when one cannot be set; the group is as good as it can be then.
    func restore(_ wanted: GroupLimits, of group: RunGroup, killsBefore: Int64) throws(LaunchError) {
        try group.restore(wanted.reduced(to: capabilities.enforced, has: roots), killsBefore: killsBefore)
    }

    /// Ends and removes what a former process of this worker has left, except groups that were adopted. Blocks.
    func removeLeftovers() {
        let left = state.withLock { state in
            defer { state.left = [] }
            return state.left
        }
        for name in left.sorted() {
            guard let group = RunGroup(name: name, roots: roots) else {
                roots.remove(name)
                continue
            }
            group.kill()
            // What has not vanished yet is removed by `tidy`.
            group.remove()
        }
    }

    /// Removes groups that were abandoned and have become empty since.
    func tidy() {
        let names = roots.names()
        for name in names {
            let isKnown = state.withLock { state in
                state.used.contains(name) || state.left.contains(name) || state.idle.contains { $0.name == name }
            }
            if !isKnown { roots.remove(name) }
        }
    }

    /// At the end of the worker: leaves nothing but groups that are in use.
    func removeIdle() {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            return state.idle
        }
        for group in idle { group.remove() }
        roots.removeIfEmpty()
    }

    private func idle(for limits: GroupLimits) -> RunGroup? {
        state.withLock { state in
            guard !state.idle.isEmpty else { return nil }
            let index = state.idle.lastIndex { $0.limits == limits } ?? state.idle.count - 1
            let group = state.idle.remove(at: index)
            state.used.insert(group.name)
            return group
        }
    }

    private func make() throws(LaunchError) -> RunGroup {
        for _ in 0..<Self.nameTries {
            let name = state.withLock { state in
                defer { state.next += 1 }
                let name = GroupRoots.name(state.next)
                state.used.insert(name)
                return name
            }
            // Left by a former process of this worker, and not to be had.
            guard !roots.exists(name) else {
                state.withLock { _ = $0.used.remove(name) }
                continue
            }
            do throws(LaunchError) {
                try roots.make(name)
                if let group = RunGroup(name: name, roots: roots) { return group }
                throw FileFailure.launch("cannot open the control group '\(name)'")
            } catch {
                roots.remove(name)
                state.withLock { _ = $0.used.remove(name) }
                throw error
            }
        }
        throw LaunchError("no control group can be made: all names are taken by former runs that do not end")
    }

    private static let nameTries = 100_000
}
