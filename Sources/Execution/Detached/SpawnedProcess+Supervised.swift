import CSpawn
import Domain
import Glibc
import Runtime

// A command whose parent is a supervisor: how it ended is read from a file, and it may be left to the worker's next
// process.
extension SpawnedProcess {
    nonisolated var outlivesWorker: Bool { supervision != nil }

    /// Its end has been seen, or is not to be seen from here: the supervisor will have written it down.
    func awaitStatus() {
        watch?.cancel()
        watch = nil
        loop.start("status of \(attempt)") { await self.readStatus() }
    }

    private func readStatus() async {
        guard let supervision else { return }
        var pause = Duration.milliseconds(2)
        while status == nil, !wasLeft {
            // A pool that is full: the next look will do.
            let found = try? await files.run { [identity] in
                let isSupervised = supervision.supervisor.isAlive
                if let status = supervision.directory.status() { return Look.ended(status) }
                if isSupervised { return Look.running }
                var facts = cspawn_process()
                // A dead one is nobody's now: who had to wait for it was ended.
                let isThere =
                    cspawn_read_process(identity.process, &facts) == 0 && facts.start_time == identity.startTime
                    && !facts.isDead
                return isThere ? Look.running : Look.lost
            }
            switch found {
            case .ended(let status): return finish(status)
            case .lost:
                if outputProblem == nil {
                    outputProblem = "its supervisor was ended by somebody: nobody knows how the command has ended"
                }
                return finish(.signalled(Int(SIGKILL)))
            case .running, nil: break
            }
            // Fails by cancellation only, and nobody cancels the task of a try.
            try? await loop.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(500))
        }
    }

    private enum Look: Sendable { case running, lost, ended(ProcessEnd.Status) }

    /// The worker's process ends, the run goes on: what has been read goes into the log, the rest waits in the pipe.
    func leave() async {
        guard supervision != nil, status == nil, !wasEnded, !wasLeft else { return }
        wasLeft = true
        watch?.cancel()
        watch = nil
        if pidfd >= 0 { close(pidfd) }
        pidfd = -1
        for pump in pumps { _ = await pump.end(within: .zero) }
        await saveTask(isLast: true)
        log.finish()
        bury()
        whenExited.take()?.resume()
    }

    func remember(_ offer: Offer) async {
        guard let files = supervision?.directory else { return }
        let log = self.logOutput
        // A pool that is shut down: the worker ends, and the limits are the former ones after it.
        try? await self.files.run {
            do throws(LaunchError) { try files.update(offer) } catch {
                log("the new limits of \(offer.attempt) will not outlive this worker's process: \(error)")
            }
        }
    }

    /// What a plugin's task has told goes on with it.
    func saveTask(isLast: Bool) async {
        guard let task, let files = supervision?.directory else { return }
        let (log, attempt) = (self.logOutput, self.attempt)
        // A pool that is shut down: the worker has ended already.
        try? await self.files.run {
            do throws(LaunchError) { try task.save(in: files, isLast: isLast) } catch {
                log("what \(attempt) has told so far will not outlive this worker's process: \(error)")
            }
        }
    }

    /// The supervisor ends itself when nothing is left, which may be some time after the command's end.
    func bury() {
        guard let supervision, supervision.isOwnChild else { return }
        children.abandon(supervision.supervisor.process)
    }
}

extension ProcessMember {
    var isAlive: Bool {
        var facts = cspawn_process()
        return cspawn_read_process(process, &facts) == 0 && facts.start_time == startTime && !facts.isDead
    }
}
