import Runtime

/// The way out: what waits is written into libpq's buffer at the end of the turn, as far as the pipeline's limit goes.
extension PostgresConnection {
    func schedulePump() {
        guard !pumpIsScheduled, wire != nil else { return }
        pumpIsScheduled = true
        loop.atEndOfTurn { [weak self] in self?.assumeIsolated { $0.pump() } }
    }

    private func pump() {
        pumpIsScheduled = false
        while let wire, let request = pending.first, maySend(request) {
            _ = pending.popFirst()
            guard send(request, wire) else {
                // Parts of it may be out.
                if !inFlight.contains(where: { $0 === request }) { inFlight.append(request) }
                lose(lossReason())
                return
            }
        }
        flush()
    }

    private func maySend(_ request: Request) -> Bool {
        if request.isScript { return inFlight.isEmpty }
        if let first = inFlight.first, first.isScript { return false }
        return inFlight.count < Self.pipelineLimit || request.isRollback
    }

    private func send(_ request: Request, _ wire: Wire) -> Bool {
        switch request.work {
        case .script(let sql):
            inFlight.append(request)
            return wire.leavePipeline() && wire.sendScript(sql)
        case .housekeeping(let sql), .plain(let sql):
            inFlight.append(request)
            return wire.sendPlain(sql) && wire.sendSync()
        case .prepare(let statement):
            inFlight.append(request)
            return wire.sendPrepare(statement.name, statement.sql) && wire.sendSync()
        case .statements(let statements, let parameters, _):
            for statement in statements {
                guard let prepared = prepare(statement.sql, wire) else { return false }
                request.prepared.append(prepared)
            }
            inFlight.append(request)
            for (prepared, parameters) in zip(request.prepared, parameters) {
                guard wire.sendExecute(prepared.name, parameters) else { return false }
            }
            return wire.sendSync()
        }
    }

    /// The parsed form of a statement; sends it to be parsed first if the session does not know it. nil: lost.
    private func prepare(_ sql: String, _ wire: Wire) -> PreparedStatement? {
        if let known = statements.find(sql) { return known }
        let (added, evicted) = statements.add(sql)
        var requests = [Request(number: 0, work: .prepare(added))]
        if let evicted { requests.append(Request(number: 0, work: .housekeeping("DEALLOCATE \(evicted.name)"))) }
        for request in requests {
            guard send(request, wire) else { return nil }
        }
        return added
    }

    func flush() {
        guard let wire else { return }
        guard let isOut = wire.flush() else { return lose(lossReason()) }
        watch?.update(isOut ? .read : [.read, .write])
        // While it could not write, libpq may have read: the socket does not tell of that any more.
        if !inFlight.isEmpty { drain() }
    }
}
