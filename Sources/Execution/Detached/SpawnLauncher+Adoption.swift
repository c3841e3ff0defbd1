import CSpawn
public import Domain
import Glibc
import Runtime
import Timetable

// Taking over what a former process of this worker has left running.
extension SpawnLauncher {
    public func adopt(_ isWanted: @escaping @Sendable (Offer) -> Bool) async -> [AdoptedRun] {
        guard !leftRecords.isEmpty else { return [] }
        // A pool that is shut down: the next start does it.
        let found = (try? await files.run { self.findAdoptable(isWanted) }) ?? []
        var adopted: [AdoptedRun] = []
        for (record, parts) in found {
            let process = await look(after: parts)
            adopted.append(
                AdoptedRun(offer: record.offer, user: record.user, startedAt: record.startedAt, process: process))
        }
        return adopted
    }

    private func findAdoptable(_ isWanted: (Offer) -> Bool) -> [(DetachedRecord, SpawnedProcess.Parts)] {
        var found: [(DetachedRecord, SpawnedProcess.Parts)] = []
        for name in leftRecords.sorted() {
            let files = directory.detached(named: name)
            guard let record = record(named: name), record.offer.extras?.container == nil, isWanted(record.offer)
            else { continue }
            do throws(LaunchError) {
                guard let parts = try parts(of: record, files) else { continue }
                active.withLock { _ = $0.insert(record.offer.attempt) }
                found.append((record, parts))
            } catch {
                log.error("cannot take over \(record.offer.attempt), which is ended instead: \(error)")
                logs.close(
                    record.offer.attempt,
                    footer: LogText.footer(
                        isSuccess: false, description: "the worker restarted while the command ran",
                        now: Instant(microseconds: loop.wallMicroseconds)))
            }
        }
        return found
    }

    private func record(named name: String) -> DetachedRecord? {
        guard let record = directory.detached(named: name).record(), record.machineBoot == machineBoot,
            directory.sandboxName(record.offer.attempt) == name
        else { return nil }
        return record
    }

    /// Containers of a former process that somebody else may take over. Blocks.
    func leftContainers(_ isWanted: (Offer) -> Bool) -> [DetachedRecord] {
        leftRecords.sorted().compactMap(record(named:)).filter {
            $0.offer.extras?.container != nil && isWanted($0.offer)
        }
    }

    /// Nil when neither the command nor word of its end is left.
    private func parts(
        of record: DetachedRecord, _ files: DetachedDirectory
    ) throws(LaunchError) -> SpawnedProcess.Parts? {
        guard let (command, supervisor) = files.processes() else { return nil }
        let hasEnded = files.status() != nil
        guard hasEnded || supervisor.isAlive else { return nil }
        let attempt = record.offer.attempt
        let extras = record.offer.extras
        let sandbox = directory.sandbox(attempt)
        let log = try logs.adopt(attempt)
        let task = try extras?.plugin.map { plugin throws(LaunchError) in
            let loop = self.loop
            return try PluginTask(
                plugin, LaunchOrder(offer: record.offer, user: record.user, hostName: ""), log: log, sandbox: sandbox
            ) { Instant(microseconds: loop.wallMicroseconds) }
        }
        task?.restore(from: files)
        let group = adoptGroup(of: record)
        let output = try Self.reader(files.output)
        // Without one, both go into the same pipe.
        let errors = access(files.errors, F_OK) == 0 ? try Self.reader(files.errors) : -1
        return SpawnedProcess.Parts(
            identity: ProcessIdentity(
                process: command.process, startTime: command.startTime, machineBoot: machineBoot),
            pidfd: hasEnded ? -1 : cspawn_open_process(command.process, command.startTime), output: output,
            errors: errors, log: log, task: task, sandbox: sandbox, attempt: attempt,
            group: group,
            supervision: Supervision(directory: files, supervisor: supervisor, isOwnChild: false))
    }

    private func adoptGroup(of record: DetachedRecord) -> RunGroup? {
        guard !record.group.isEmpty, let groups, let group = groups.adopt(record.group) else { return nil }
        let offer = record.offer
        let limits = GroupLimits(offer.resources, offer.extras?.limits ?? .none, processes: settings.processLimit)
        do throws(LaunchError) {
            try groups.restore(limits, of: group, killsBefore: record.groupKills)
        } catch {
            log.with("run", offer.attempt.run).warning(
                "\(offer.attempt) was taken over, and goes on, perhaps without its hard limits: \(error)")
        }
        return group
    }

    private static func reader(_ path: String) throws(LaunchError) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw FileFailure.launch("cannot open \(path)") }
        return descriptor
    }
}
