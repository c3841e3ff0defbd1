// Offers: a try named to a worker, with all that it needs to run it.

import Timetable

extension LeaderState {
    mutating func send(_ offers: [String: [Offer]]) {
        for (name, list) in offers.sorted(by: { $0.key < $1.key }) {
            guard let worker = workers[name] else { continue }
            var rest = list[...]
            while !rest.isEmpty {
                let request = rest.prefix(Self.offersThatFit(rest))
                effects.append(.offer(worker: worker.worker.description, offers: Array(request)))
                rest = rest.dropFirst(request.count)
            }
        }
    }

    /// How many of the first offers go into one request, by number and by bytes; at least one.
    private static func offersThatFit(_ offers: ArraySlice<Offer>) -> Int {
        var bytes = 0
        var count = 0
        for offer in offers.prefix(Limits.offersPerRequest) {
            bytes += offer.command.utf8.count + offer.arguments.reduce(0) { $0 + $1.utf8.count }
            bytes += offer.environment.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
            bytes += offer.extras?.bytes ?? 0
            if bytes > Limits.offerBytesPerRequest, count > 0 { break }
            count += 1
        }
        return count
    }

    /// Offers that a former leader, or this one before its state was read anew, has made and that are not claimed.
    mutating func offerAgain(_ ids: [RunID], now: Moment) {
        var offers: [String: [Offer]] = [:]
        for id in ids {
            guard let active = runs[id] else { continue }
            offers[active.run.worker, default: []].append(offer(for: active, now: now))
        }
        send(offers)
    }

    mutating func offerRun(_ id: RunID, to worker: String, now: Moment) -> Offer {
        guard var active = runs[id] else { preconditionFailure("only runs that have not ended are placed") }
        active.become(.offered)
        active.run.worker = worker
        active.run.offeredAt = now.wall
        active.run.reason = ""
        active.offeredAt = now.uptime
        active.isQueued = false
        active.unheard = 0
        runs[id] = active
        hold(active)
        dirtyRuns.insert(id)
        if active.run.attempt == 0, active.persisted == nil || active.persisted?.state == .queued {
            resetEdges(of: active.run.job.job)
        }
        steadyTimers.insert(.offerTimeout(active.run.attemptID), at: now.uptime + policy.offerTimeout)
        return offer(for: active, now: now)
    }

    func offer(for active: ActiveRun, now: Moment) -> Offer {
        let definition = active.definition
        let arguments = definition.argumentVector(adHoc: active.run.adHocArguments)
        let plugin = catalogue.plugins[definition.plugin]
        let user = plugin.map(\.user) ?? ""
        return Offer(
            attempt: active.run.attemptID, job: active.run.job, jobName: active.run.jobName, owner: definition.owner,
            taskID: active.run.taskID(arguments: arguments.joined(separator: " ")), due: active.run.due,
            command: definition.command, shell: definition.shell, arguments: arguments,
            environment: definition.environment, user: user.isEmpty ? definition.runAsUser : user,
            resources: definition.resources,
            constraints: definition.constraints, timeout: active.timeout(ofTryFrom: now.wall),
            startDeadline: active.run.startDeadline,
            lead: Self.isAhead(active.run, now: now) ? now.wall.duration(to: active.run.due) : .zero,
            extras: extras(for: active, plugin: plugin))
    }

    /// Nil for a plain command.
    private func extras(for active: ActiveRun, plugin: Plugin?) -> OfferExtras? {
        let definition = active.definition
        var extras = OfferExtras()
        extras.container = definition.container
        extras.artifacts = definition.artifacts
        extras.limits = limits(of: definition)
        extras.isDetached = definition.isDetached
        extras.group = definition.runAsGroup
        extras.workingDirectory = definition.workingDirectory
        if let plugin {
            if !plugin.group.isEmpty { extras.group = plugin.group }
            if !plugin.workingDirectory.isEmpty { extras.workingDirectory = plugin.workingDirectory }
            extras.plugin = pluginOffer(plugin, for: active)
        }
        extras.trace = active.run.context?.trace
        return extras == .none ? nil : extras
    }

    private func pluginOffer(_ plugin: Plugin, for active: ActiveRun) -> PluginOffer {
        let definition = active.definition
        var offer = PluginOffer(plugin: plugin, job: active.run.job.job)
        offer.parameters = definition.pluginParameters
        offer.hasOwnParameters = active.run.context?.definition != nil
        offer.jobTitle = definition.displayTitle
        let category = category(of: definition)
        offer.category = definition.category.isEmpty ? category?.id ?? "" : definition.category
        offer.categoryTitle = category?.displayTitle ?? ""
        offer.target = definition.target.name
        offer.targetTitle = catalogue.groups[offer.target].map(\.displayTitle) ?? offer.target
        offer.notifications = notifications(of: definition)
        offer.retriesLeft = max(0, definition.retries - active.run.attempt)
        offer.onSuccess = definition.onSuccess
        offer.onFailure = definition.onFailure
        offer.notes = definition.description
        offer.source = active.run.context?.source ?? ""
        offer.chain = active.run.context?.chain
        offer.postData = active.run.context?.postData ?? ""
        offer.dialectFields = definition.dialectFields
        return offer
    }

    /// No worker may run it, by their own word.
    mutating func fail(_ id: RunID, reason: String, now: Moment) {
        guard let active = runs[id] else { return }
        let record = AttemptRecord(
            attempt: active.run.attemptID, worker: "", startedAt: nil, finishedAt: now.wall, state: .failed,
            reason: reason)
        changes.attempts.append(record)
        end(id, in: .failed, reason: reason, record: record, now: now)
    }
}
