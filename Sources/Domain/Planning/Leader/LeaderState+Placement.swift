// Placement: which of the queued runs get a worker in this turn.

import Timetable

extension LeaderState {
    func candidates() -> [PlacementPlanner.Candidate] {
        workers.values.filter { $0.isLive && !$0.worker.isDrained && $0.avoidedUntil <= uptime }
            .sorted { $0.worker.description.name < $1.worker.description.name }
            .map {
                PlacementPlanner.Candidate(
                    name: $0.worker.description.name, attributes: $0.worker.description.attributes, free: $0.free,
                    capacity: $0.worker.description.capacity)
            }
    }

    /// Gives queued runs to workers, in order of priority and due instant; a shape that finds no room waits without
    /// holding up the others.
    public mutating func place(now: Moment) {
        uptime = now.uptime
        guard !queues.isEmpty else { return }
        sortIntoGroups()
        var candidates = candidates()
        let positions = Dictionary(uniqueKeysWithValues: candidates.enumerated().map { ($1.name, $0) })
        var loads: [PlacementPlanner.Load] = []
        var offers: [String: [Offer]] = [:]
        var eligible: [Shape: [Int]] = [:]
        // Runs that some workers have refused for good: that they find no room says nothing of those behind them.
        var aside: [RunID] = []
        var order = MinHeap<QueueKey, Shape>()
        for shape in Array(queues.keys) { line(up: shape, in: &order) }
        while let (key, shape) = order.removeFirst() {
            guard let active = runs[key.id] else { continue }
            // What a category has room for changes with each run that is placed.
            guard gate(active.definition) == nil else { continue }
            // Constraints are matched once a turn and shape; what changes within a turn is only the room.
            let places = eligible[shape] ?? candidates.indices.filter { takes(shape, candidates[$0]) }
            eligible[shape] = places
            let algorithm = active.definition.algorithm
            if loads.isEmpty, algorithm.needsLoads { loads = self.loads(of: candidates) }
            let choice = PlacementPlanner.choose(
                resources: shape.resources, constraints: [], excluded: active.excluded,
                among: places.count == candidates.count ? candidates : places.map { candidates[$0] },
                preferring: preference(active, loads: loads, positions: positions))
            if case .worker(let name) = choice, let position = positions[name] {
                queues[shape]?.removeFirst()
                candidates[position].free = candidates[position].free - shape.resources
                if !loads.isEmpty { loads[position].add(shape.resources) }
                if algorithm == .roundRobin { robins[active.run.job.job] = position + 1 }
                offers[name, default: []].append(offerRun(key.id, to: name, now: now))
                line(up: shape, in: &order)
            } else if !active.excluded.isEmpty {
                queues[shape]?.removeFirst()
                if isHopeless(active) {
                    fail(key.id, reason: active.refusal, now: now)
                } else {
                    runs[key.id]?.isQueued = false
                    aside.append(key.id)
                }
                line(up: shape, in: &order)
            }
        }
        for id in aside { queue(id) }
        send(offers)
    }

    /// Why none of the runs like this one may be placed, whatever workers there are.
    private func gate(_ definition: JobDefinition) -> LaunchObstacle? {
        switchedOff(definition) ?? categoryLimit(definition)
    }

    private func takes(_ shape: Shape, _ candidate: PlacementPlanner.Candidate) -> Bool {
        (shape.worker.isEmpty || shape.worker == candidate.name) && matches(candidate.name, shape.target)
            && candidate.satisfies(shape.constraints)
    }

    private func preference(
        _ active: ActiveRun, loads: [PlacementPlanner.Load], positions: [String: Int]
    ) -> PlacementPlanner.Preference {
        switch active.definition.algorithm {
        case .spread: .spread
        case .random: .random(seed: PlacementPlanner.seed(active.run.attemptID))
        case .roundRobin: .from(position: robins[active.run.job.job] ?? 0, positions: positions)
        case .leastCPU: .least(loads.map(\.cpu), positions: positions)
        case .leastMemory: .least(loads.map(\.memory), positions: positions)
        case .preferFirst: .first
        case .preferLast: .last
        }
    }

    /// What the runs of each worker use by its own word, or what they were promised where it has not said anything yet.
    private func loads(of candidates: [PlacementPlanner.Candidate]) -> [PlacementPlanner.Load] {
        candidates.map { candidate in
            var load = PlacementPlanner.Load()
            for id in runsOfWorker[candidate.name] ?? [] {
                guard let active = runs[id] else { continue }
                load.add(active.definition.resources, reported: active.details)
            }
            return load
        }
    }

    /// Lets a shape compete with its first run that still waits.
    private mutating func line(up shape: Shape, in order: inout MinHeap<QueueKey, Shape>) {
        while let (key, id) = queues[shape]?.first {
            if let active = runs[id], active.run.state == .queued, active.isQueued {
                order.insert(shape, at: key)
                return
            }
            queues[shape]?.removeFirst()
        }
        queues[shape] = nil
    }

    /// No worker that is there, or only silent for a moment, could run it.
    private func isHopeless(_ active: ActiveRun) -> Bool {
        !workers.values.contains { state in
            let description = state.worker.description
            return state.isWatched && !state.worker.isDrained && !active.excluded.contains(description.name)
                && active.definition.resources.fits(in: description.capacity)
                && matches(description.name, active.definition.target)
                && [description.name, "", nil].contains(active.run.context?.worker)
                && active.definition.requirements.allSatisfy { $0.isSatisfied(by: description.attributes) }
        }
    }

    /// Why a run that competes for workers has none.
    func explainPlacement(_ active: ActiveRun) -> String {
        if let gate = gate(active.definition) { return gate.text }
        let all = candidates()
        let shape = active.shape
        let named = all.filter {
            (shape.worker.isEmpty || shape.worker == $0.name) && matches($0.name, shape.target)
        }
        if named.isEmpty, !all.isEmpty {
            return shape.worker.isEmpty
                ? missingTarget(shape.target) : "it is for worker \(shape.worker), which takes nothing now"
        }
        switch PlacementPlanner.choose(
            resources: shape.resources, constraints: shape.constraints, excluded: active.excluded, among: named)
        {
        case .worker: return "it was about to be offered"
        case .busy(let reason): return reason
        case .impossible(let reason): return resting(active) ?? reason
        }
    }

    /// Which workers could take it and take nothing now; nil where there is none.
    private func resting(_ active: ActiveRun) -> String? {
        let shape = active.shape
        let resting = workers.values.filter { state in
            let description = state.worker.description
            return !active.excluded.contains(description.name)
                && (shape.worker.isEmpty || shape.worker == description.name)
                && matches(description.name, shape.target) && shape.resources.fits(in: description.capacity)
                && shape.constraints.allSatisfy { $0.isSatisfied(by: description.attributes) }
        }.sorted { $0.worker.description.name < $1.worker.description.name }
        guard !resting.isEmpty else { return nil }
        var named = resting.prefix(Self.namedWorkers).map { state in
            let name = state.worker.description.name
            if state.worker.isDrained { return "\(name) is drained" }
            return state.isLive ? "\(name) did not answer its last offer" : "\(name) is silent"
        }
        if resting.count > named.count { named.append("and \(resting.count - named.count) more") }
        return "every worker that could take it takes nothing now: \(named.joined(separator: ", "))"
    }

    /// Workers that an explanation names.
    private static let namedWorkers = 3

    private func missingTarget(_ target: Target) -> String {
        let name = target.name
        if workers[name] != nil { return "worker \(name), which is its target, takes nothing now" }
        guard let group = catalogue.groups[name] else {
            return "its target '\(name)' is neither a worker nor a group of workers"
        }
        return
            "no worker that takes runs now is in the group '\(group.displayTitle)', whose pattern is \(group.pattern)"
    }
}
