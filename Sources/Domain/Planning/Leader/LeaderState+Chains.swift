// Chains: jobs that run when a run of another one has ended.
//
// The job that follows is named by text, an identifier or else a name, and may be any job, so that it must be read
// before it is needed: the end of a run and the launch of what follows it are one transaction, which is what makes it
// exactly once over failover. The leader asks for the jobs that active runs name (`jobsWanted`), keeps them, and hears
// of every change to them, since nobody else changes jobs.

import Timetable

/// A job that active runs name as the next of a chain.
struct ChainTarget: Sendable {
    /// Nil: there is none, or it has not been read yet.
    var job: Job?
    var isKnown = false
    /// Active runs that name it.
    var users = 0
}

extension LeaderState {
    /// Jobs that the shell must read before the next turn, whatever that turn decides.
    public var jobsWanted: JobsWanted {
        var wanted = JobsWanted()
        for name in unknownChains { wanted.insert(.either(name)) }
        return wanted
    }

    // MARK: Knowing what follows

    mutating func useChains(of definition: JobDefinition) {
        for name in [definition.onSuccess, definition.onFailure] where !name.isEmpty {
            chainTargets[name, default: ChainTarget()].users += 1
            if chainTargets[name]?.isKnown == false { unknownChains.insert(name) }
        }
    }

    mutating func leaveChains(of definition: JobDefinition) {
        for name in [definition.onSuccess, definition.onFailure] where !name.isEmpty {
            chainTargets[name]?.users -= 1
            if let users = chainTargets[name]?.users, users <= 0 {
                chainTargets[name] = nil
                unknownChains.remove(name)
            }
        }
    }

    mutating func learnChains() {
        guard !unknownChains.isEmpty else { return }
        for name in unknownChains {
            let found = job(.either(name))
            chainTargets[name]?.job = found
            chainTargets[name]?.isKnown = true
        }
        unknownChains.removeAll(keepingCapacity: true)
    }

    /// A version of a job has been stored.
    mutating func noteChainTarget(_ job: Job) {
        guard !chainTargets.isEmpty else { return }
        if chainTargets[job.id.rawValue] != nil { setChainTarget(job.id.rawValue, job) }
        let name = job.definition.name
        if let target = chainTargets[name], target.job.map({ $0.id.rawValue != name }) ?? true {
            setChainTarget(name, job)
        }
        for (text, target) in chainTargets where target.job?.id == job.id && text != name && text != job.id.rawValue {
            forgetChainTarget(named: text)  // It has another name now.
        }
    }

    /// Another job may go by that text: it is read again.
    private mutating func forgetChainTarget(named text: String) {
        chainTargets[text]?.job = nil
        chainTargets[text]?.isKnown = false
        unknownChains.insert(text)
    }

    private mutating func setChainTarget(_ text: String, _ job: Job) {
        chainTargets[text]?.job = job
        chainTargets[text]?.isKnown = true
        unknownChains.remove(text)
    }

    mutating func forgetChainTarget(_ id: JobID) {
        for (text, target) in chainTargets where target.job?.id == id { forgetChainTarget(named: text) }
    }

    func chained(_ text: String) -> Job? {
        if let target = chainTargets[text], target.isKnown { return target.job }
        return job(.either(text))
    }

    /// Whether the end of the run can be followed up in this turn.
    func knowsChains(of definition: JobDefinition) -> Bool {
        [definition.onSuccess, definition.onFailure].allSatisfy { $0.isEmpty || chainTargets[$0]?.isKnown == true }
    }

    // MARK: Launching what follows

    /// Launches what follows a run that has succeeded or failed for good; returns why it could not, for people.
    mutating func follow(_ ended: ActiveRun, record: AttemptRecord?, now: Moment) -> String? {
        let result = record?.details?.result
        let hasSucceeded = ended.run.state == .succeeded
        let target =
            hasSucceeded
            ? result?.onSuccess ?? ended.definition.onSuccess : result?.onFailure ?? ended.definition.onFailure
        guard !target.isEmpty else { return nil }
        let title = ended.definition.displayTitle
        guard let job = chained(target) else {
            return notChained(
                ended.run.job.job, ended.definition, "job '\(target)' not found", "Event ID not found: \(target)", now)
        }
        func refused(_ why: String) -> String {
            notChained(
                ended.run.job.job, ended.definition, why, "\(job.definition.displayTitle): \(why)", now)
        }
        let former = ended.run.context?.chain
        let length = (former?.length ?? 0) + 1
        guard length <= Limits.chainLength else {
            return refused("\(former?.length ?? 0) runs have followed one another already, which is the limit")
        }
        if let full = refusal(of: job) { return refused(full.message) }
        var link = ChainLink(
            run: ended.run.id, job: ended.run.job.job, jobTitle: title, data: result?.chainData ?? "{}",
            code: result?.code ?? Self.code(of: ended, record), description: result?.description ?? ended.run.reason,
            length: length)
        link.parameters = result?.chainParameters ?? ""
        launch(
            job,
            Launch(
                cause: .chain(key: ended.run.id.rawValue), due: uniqueDue(job.id, now: now),
                context: RunContext(source: "Chain Reaction (\(title))", chain: link, trace: ended.run.context?.trace)),
            now: now)
        return nil
    }

    /// - Parameters:
    ///   - definition: of the job that would have been followed.
    ///   - told: the same for those who are told, in Cronicle's words.
    mutating func notChained(
        _ job: JobID, _ definition: JobDefinition, _ why: String, _ told: String, _ now: Moment
    ) -> String {
        effects.append(.notice("what follows job '\(definition.displayTitle)' was not launched: \(why)"))
        tell(.chainRefused, job: job, definition: definition, reason: told, at: now.wall)
        return "what follows it was not launched: \(why)"
    }

    static let launchFailure = "\"job_launch_failure\""

    /// JSON text, as Cronicle's `chain_code`.
    private static func code(of ended: ActiveRun, _ record: AttemptRecord?) -> String {
        if ended.run.state == .succeeded { return "0" }
        if record?.startedAt == nil, ended.run.context?.firstStart == nil { return launchFailure }
        if let code = record?.exitCode, code != 0 { return String(code) }
        return "1"
    }
}
