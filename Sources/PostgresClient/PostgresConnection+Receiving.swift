import Runtime

/// The way in: results are matched with the requests in flight, and it is decided what becomes of those that failed.
extension PostgresConnection {
    func handle(_ readiness: Readiness) {
        guard let wire else { return }
        if readiness.contains(.read) {
            let isAlive = wire.consume()
            drain()
            guard isAlive else { return lose(lossReason()) }
        }
        if readiness.contains(.write) { flush() }
    }

    func drain() {
        guard let wire else { return }
        var gaps = 0
        // A nil stands between the results of two statements; two nils in a row: there is nothing.
        while self.wire != nil, gaps < 2, !wire.isBusy {
            guard let result = wire.nextResult() else {
                gaps += 1
                if let first = inFlight.first, first.isScript { endScript(wire) }
                continue
            }
            gaps = 0
            accept(ResultCells(taking: result))
        }
        while let notification = wire.nextNotification() { notified.yield(notification) }
    }

    private func accept(_ cells: ResultCells) {
        guard let request = inFlight.first else { return }
        switch cells.kind {
        case .rows: request.accept(cells)
        case .skipped: request.skip()
        case .sync: finishFirst()
        case .failure:
            let said = ServerError(cells.pointer)
            if said.endsSession || said.error.code == .connection {
                lose(said.endsSession ? said.error : lossReason())
            } else {
                request.fail(said.error)
            }
        case .unsupported:
            lose(PostgresError(.invalidRequest, "COPY is not supported; the connection was closed"))
        }
    }

    private func endScript(_ wire: Wire) {
        guard let request = inFlight.popFirst() else { return }
        if let timer = request.timer { loop.cancel(timer) }
        let isClean = wire.isIdle
        guard wire.enterPipeline() else { return lose(lossReason()) }
        if !isClean { rollBack() }
        request.answer()
        schedulePump()
    }

    private func finishFirst() {
        guard let request = inFlight.popFirst() else { return }
        if case .prepare(let statement) = request.work { settle(statement, request.failure) }
        if request.isRollback { rollbacks -= 1 }
        if request.leavesBrokenTransaction { rollBack() }
        if mustRepeat(request) {
            pending.append(request)
        } else {
            if let timer = request.timer { loop.cancel(timer) }
            request.answer()
        }
        if !pending.isEmpty { schedulePump() }
    }

    /// Ahead of all that waits: until the server has it, it refuses everything else.
    private func rollBack() {
        rollbacks += 1
        pending.prepend(Request(number: 0, work: .housekeeping("ROLLBACK")))
        schedulePump()
    }

    private func settle(_ statement: PreparedStatement, _ failure: PostgresError?) {
        guard let failure else {
            statement.state = .ready
            return
        }
        statement.state = isRefusedForOthers(failure) ? .skipped : .failed(failure)
        statements.forget(statement)
    }

    /// Whether the server refused something only because a transaction before it is broken.
    private func isRefusedForOthers(_ failure: PostgresError) -> Bool {
        failure.code == .server(sqlState: "25P02") && rollbacks > 0
    }

    /// Decides what becomes of a request that failed through no fault of its own, and gives a failure its true reason.
    private func mustRepeat(_ request: Request) -> Bool {
        guard case .statements = request.work, let failure = request.failure, let position = request.failedPosition
        else { return false }
        if isRefusedForOthers(failure), position == 0 {
            request.prepareToRepeat(countingIt: false)
            return true
        }
        guard position < request.prepared.count else { return false }
        let statement = request.prepared[position]
        switch failure.sqlState {
        case "26000":
            // The server does not know the statement: it refused it, or skipped it.
            if case .failed(let reason) = statement.state {
                request.replaceFailure(reason)
                return false
            }
        case "0A000" where failure.message.contains("cached plan"):
            // A table has changed its shape since the statement was parsed.
            break
        default: return false
        }
        statements.forget(statement)
        guard request.repeats < Request.repeatLimit else { return false }
        request.prepareToRepeat(countingIt: true)
        return true
    }
}
