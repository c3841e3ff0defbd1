import Domain
import JSON
import Runtime
import Timetable

/// A run of the URL plugin: a request that this process itself sends. There is no process to be found or measured.
actor URLTask: RunningProcess {
    /// None: nothing is left of it when the worker has ended.
    nonisolated let identity = ProcessIdentity(process: 0, startTime: 0, machineBoot: "")
    private let attempt: AttemptID
    private let plugin: URLPlugin
    private let http: any TaskHTTP
    private let log: OutputLog
    private let logs: LogSpool
    private let pool: BlockingPool
    private let loop: EventLoop
    private let whenDiscarded: @Sendable () -> Void

    private var report = TaskReport()
    private var hasEnded = false
    private var wasEnded = false
    private var problem: String?
    private let stop = WakeUp()
    private var whenFinished: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(
        _ attempt: AttemptID, _ plugin: URLPlugin, http: any TaskHTTP, log: OutputLog, logs: LogSpool,
        pool: BlockingPool, loop: EventLoop, whenDiscarded: @escaping @Sendable () -> Void
    ) {
        self.attempt = attempt
        self.plugin = plugin
        self.http = http
        self.log = log
        self.logs = logs
        self.pool = pool
        self.loop = loop
        self.whenDiscarded = whenDiscarded
    }

    func begin() {
        loop.start("request of \(attempt)") { await self.perform() }
    }

    private func perform() async {
        await write(plugin.announcement)
        let begun = loop.monotonicNow
        let (http, request, loop, stop) = (self.http, plugin.request, self.loop, self.stop)
        let outcome = await withTaskGroup(of: Result<TaskHTTPAnswer, any Error>?.self) { group in
            group.addTask(executorPreference: loop) {
                do { return .success(try await http.exchange(request)) } catch { return .failure(error) }
            }
            group.addTask(executorPreference: loop) {
                // Cancelled when the answer is there.
                try? await stop.wait()
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        let duration = begun.duration(to: loop.monotonicNow)
        let elapsed = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        switch outcome {
        case .success(let answer):
            let plugin = self.plugin
            // Patterns are searched in a megabyte at most; still, not on the loop.
            let concluded = try? await pool.run { plugin.conclude(answer, seconds: elapsed) }
            if let (message, text) = concluded {
                await write(text)
                for note in report.take(message) { await write(note) }
            }
        case .failure(let error):
            let failure = error as? TaskHTTPFailure ?? TaskHTTPFailure(code: "", message: "\(error)")
            if !wasEnded {
                let (message, text) = URLPlugin.conclude(failure, seconds: elapsed)
                await write(text)
                _ = report.take(message)
            }
        case nil: break
        }
        hasEnded = true
        whenFinished.take()?.resume()
    }

    private func write(_ text: String) async {
        let log = self.log
        do { try await pool.run { try log.write(Array(text.utf8)) } } catch {
            problem = problem ?? (error as? LaunchError)?.message ?? "the log file could not be written: \(error)"
        }
    }

    func ended() async -> ProcessEnd {
        // Not cancellable: the request has its own limits.
        if !hasEnded { await withCheckedContinuation { whenFinished = $0 } }
        let status = ProcessEnd.Status.exited(code: report.isComplete ? 0 : 1)
        var end = ProcessEnd(status: status, wasEnded: wasEnded, outputTail: log.tail, outputProblem: problem)
        end.outputBytes = log.outputBytes
        end.task = TaskEnd.of(report, status: status, process: 0, isDetached: false)
        return end
    }

    func end(grace: Duration) {
        guard !hasEnded, !wasEnded else { return }
        wasEnded = true
        stop.signal()
    }

    func conclude(_ footer: String) async {
        let (logs, attempt) = (self.logs, self.attempt)
        // A pool that is shut down leaves the log to the next start, which sends it as it is.
        try? await pool.run { logs.close(attempt, footer: footer) }
    }

    func discard() { whenDiscarded() }
}
