// The graph of parents and children.

import Timetable

extension LeaderState {
    mutating func link(_ edge: Edge) {
        parentsOf[edge.child, default: [:]][edge.parent] = edge.isSatisfied
        childrenOf[edge.parent, default: []].insert(edge.child)
    }

    mutating func unlink(parent: JobID, child: JobID) {
        parentsOf[child]?[parent] = nil
        childrenOf[parent]?.remove(child)
        if childrenOf[parent]?.isEmpty == true { childrenOf[parent] = nil }
        dirtyEdges[Edge(parent: parent, child: child, isSatisfied: false)] = nil
    }

    func parentIDs(of definition: JobDefinition, id: JobID) throws(DomainError) -> [JobID] {
        guard case .parents(let names) = definition.trigger else { return [] }
        guard !names.isEmpty else { throw .invalid("a dependent job needs at least one parent") }
        var ids: [JobID] = []
        for name in names {
            guard name != definition.name else { throw .invalid("job '\(name)' cannot be its own parent") }
            guard let parent = job(.name(name)) else {
                throw .invalid("parent job '\(name)' not found: create it before '\(definition.name)'")
            }
            if !ids.contains(parent.id) { ids.append(parent.id) }
        }
        if let path = cycle(from: ids, to: id) {
            let names = path.map { dependents[$0]?.definition.name ?? $0.rawValue }.joined(separator: " → ")
            throw .invalid("these parents would make a cycle: '\(definition.name)' is an ancestor of itself (\(names))")
        }
        return ids
    }

    /// The way from one of the jobs up through its parents to `target`, if there is one.
    private func cycle(from starts: [JobID], to target: JobID) -> [JobID]? {
        var seen: Set<JobID> = []
        var stack = starts.map { [$0] }
        while let path = stack.popLast() {
            guard let job = path.last, seen.insert(job).inserted else { continue }
            if job == target { return path }
            for parent in (parentsOf[job] ?? [:]).keys.sorted() { stack.append(path + [parent]) }
        }
        return nil
    }

    mutating func rewire(_ job: Job, parents: [JobID], hadParents: Bool) {
        guard hadParents || !parents.isEmpty else { return }
        let old = parentsOf[job.id] ?? [:]
        for parent in old.keys where !parents.contains(parent) { unlink(parent: parent, child: job.id) }
        // A parent that stays keeps what it has done already.
        let edges = parents.map { Edge(parent: $0, child: job.id, isSatisfied: old[$0] ?? false) }
        for edge in edges { link(edge) }
        changes.replacedEdges.removeAll { $0.child == job.id }
        changes.replacedEdges.append((child: job.id, edges: edges))
        if parents.isEmpty {
            dependents[job.id] = nil
            parentsOf[job.id] = nil
        } else {
            dependents[job.id] = job
        }
    }

    private mutating func setEdge(parent: JobID, child: JobID, satisfied: Bool) {
        guard let now = parentsOf[child]?[parent], now != satisfied else { return }
        parentsOf[child]?[parent] = satisfied
        if let index = changes.replacedEdges.firstIndex(where: { $0.child == child }) {
            for edge in changes.replacedEdges[index].edges.indices
            where changes.replacedEdges[index].edges[edge].parent == parent {
                changes.replacedEdges[index].edges[edge].isSatisfied = satisfied
            }
        } else {
            dirtyEdges[Edge(parent: parent, child: child, isSatisfied: false)] = satisfied
        }
    }

    /// A run of the job begins, whatever its cause: what its parents did before counts no more (chronos.md §3.8).
    mutating func resetEdges(of child: JobID) {
        for parent in (parentsOf[child] ?? [:]).keys.sorted() {
            setEdge(parent: parent, child: child, satisfied: false)
        }
    }

    /// A run of the job has succeeded. Children whose parents have now all succeeded since they began are launched.
    mutating func satisfyChildren(of parent: JobID, by run: RunID, now: Moment) {
        for child in (childrenOf[parent] ?? []).sorted() {
            setEdge(parent: parent, child: child, satisfied: true)
            guard let job = dependents[child], job.isEnabled,
                (parentsOf[child] ?? [:]).values.allSatisfy({ $0 })
            else { continue }
            let mine = runsOfJob[child] ?? []
            guard mine.count < Limits.activePerJob else { continue }
            resetEdges(of: child)
            // A run that has not started yet will see this success as well.
            if job.definition.overlap != .allow, mine.contains(where: { runs[$0]?.run.state == .queued }) { continue }
            launch(job, Launch(cause: .parents(key: run.rawValue), due: uniqueDue(child, now: now)), now: now)
        }
    }
}
