import Crypto
import Glibc
import HTTP
import Runtime

/// One client's connection: reads requests, has them handled one after the other, writes their answers.
///
/// States and what ends them (`handshaking` with TLS only, see `Connection+TLS.swift`):
///
///     handshaking ─► waiting ─first byte─► head ─► body ─► handling ─► flushing ─► waiting
///                                           │        │         └─► streaming ─┘ │
///                                           └refused─┴─────────────► flushing ──┴► lingering ─► closed
///
/// The next request is parsed only when the answer before it has left for the kernel, so a client that sends without
/// reading costs one read's worth of memory. While a request is handled, what arrives is left in the kernel.
///
/// An idle connection is this object, its place in the loop and a timer: no buffer, no parser, no task. The timer is
/// armed lazily: a deadline that moves into the future leaves the armed timer alone, which looks again when it fires;
/// so a busy connection costs no timer operations.
///
/// Unchecked: made and touched on the loop's thread only. The handler's task runs there too, and `ConnectionSink` goes
/// there.
final class Connection: @unchecked Sendable {
    enum Phase: UInt8 {
        case handshaking, waiting, head, body, handling, streaming, flushing, lingering, closed
    }

    let descriptor: Int32
    let remoteAddress: String
    let core: ServerCore

    // Kept by ServerCore.
    var place = 0
    var isCounted = false
    var isRefused = false

    /// Nil: plain HTTP.
    var tls: TLSChannel?
    /// A thread of the pool has the channel and the descriptor: neither may be touched until it is back.
    var handshakeIsAway = false
    /// TLS must write something of its own before it can read on.
    var awaitsRoom = false
    /// Subject of the client's certificate.
    var clientCertificate: String?

    var phase = Phase.waiting
    /// The request at hand, from its head to the end of its answer.
    var head: HTTPRequestHead?
    var body: [UInt8] = []
    /// What this request's body counts in `ServerCore.heldInput`.
    private var heldInput = 0
    var parser: HTTPRequestParser?
    /// Counts requests, so that the sink of an old one cannot write into the answer of a new one.
    var exchange: UInt64 = 0
    var task: Task<Void, Never>?
    /// Whether the connection goes on after the answer at hand.
    var keepsAlive = true

    /// What the kernel did not take yet, in order; of the first piece `outputOffset` bytes are gone.
    var output: [[UInt8]] = []
    var outputOffset = 0
    var outputBytes = 0
    /// Writers of a stream that are held back.
    var writers: [ConnectionSink.Writer] = []

    var watch: Watch?
    private var interest: Interest = .read
    /// Bytes came while they could not be taken; the descriptor is not watched for reading until they can.
    var readingIsPaused = false

    private var deadline: MonotonicInstant?
    private var timer: TimerToken?
    private var timerInstant = MonotonicInstant(nanoseconds: .max)
    /// Bytes received or sent in the current window, for the rate of a body or an answer.
    var windowBytes = 0

    init(_ descriptor: Int32, _ remoteAddress: String, _ core: ServerCore) {
        self.descriptor = descriptor
        self.remoteAddress = remoteAddress
        self.core = core
        if core.tls != nil { phase = .handshaking }
    }

    func attach() throws {
        watch = try core.loop.watch(descriptor, interest) { self.ready($0) }
    }

    func begin() {
        setDeadline(phase == .handshaking ? core.configuration.handshakeDeadline : core.configuration.idleDeadline)
    }

    /// Nothing would be lost by closing it.
    var isIdle: Bool { phase == .waiting || phase == .handshaking }

    func close() {
        guard phase != .closed else { return }
        let wasStreaming = phase == .streaming
        if phase == .waiting { tls?.sayFarewell() }
        phase = .closed
        watch?.cancel()
        watch = nil
        closeDescriptor()
        clearDeadline()
        if let timer { core.loop.cancel(timer) }
        parser = nil
        head = nil
        releaseInput()
        output = []
        failWriters(HTTPStreamClosed(reason: "the client's connection is closed"))
        if wasStreaming { task?.cancel() }
        task = nil
        core.closed(self)
    }

    /// Closes so that the client cannot take what it has got for the whole.
    func abort() {
        guard phase != .closed else { return }
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    // MARK: Events

    private func ready(_ readiness: Readiness) {
        if phase == .handshaking { return goOnWithHandshake() }
        if readiness.contains(.write) {
            if outputBytes > 0 { flush() }
            if awaitsRoom {
                awaitsRoom = false
                updateInterest()
            }
        }
        guard readiness.contains(.read) else { return }
        switch phase {
        case .waiting, .head, .body: receive()
        case .streaming: if tls == nil { lookForEnd() } else { readAhead() }
        case .handling, .flushing:
            readingIsPaused = true
            updateInterest()
        case .lingering: discard()
        case .handshaking, .closed: break
        }
    }

    private func receive() {
        guard let count = take(), count > 0 else { return }
        feed(count)
        windowBytes += count
        parse()
    }

    /// Reads into the core's buffer what has come: nil where that is nothing. Closes when nothing will come any more.
    private func take() -> Int? {
        if let tls { return take(from: tls) }
        let count = recv(descriptor, core.readBuffer.baseAddress, core.readBuffer.count, 0)
        if count > 0 { return count }
        if count == 0 || (errno != EAGAIN && errno != EINTR) { close() }
        return nil
    }

    func feed(_ count: Int) {
        if parser == nil { parser = HTTPRequestParser(limits: core.configuration.limits) }
        parser?.feed(UnsafeRawBufferPointer(rebasing: core.readBuffer[..<count]))
    }

    /// A client that leaves while it is streamed to is noticed even if nothing is being written.
    private func lookForEnd() {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK))
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) {
            close()
        } else if count > 0 {
            readingIsPaused = true
            updateInterest()
        }
    }

    private func discard() {
        let count = recv(descriptor, core.readBuffer.baseAddress, core.readBuffer.count, 0)
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { close() }
    }

    func updateInterest() {
        var wanted: Interest = readingIsPaused || awaitsRoom ? [] : .read
        if outputBytes > 0 || awaitsRoom { wanted.insert(.write) }
        setInterest(wanted)
    }

    func setInterest(_ wanted: Interest) {
        guard wanted != interest else { return }
        interest = wanted
        watch?.update(wanted)
    }

    // MARK: Requests

    private func parse() {
        while let event = parser?.next() {
            switch event {
            case .head(let head):
                self.head = head
                body = []
            case .needsContinue:
                // A client that did not wait for it needs none.
                if parser?.bufferedBytes == 0 { send(HTTPResponseEncoder.continueResponse) }
            case .body(let piece):
                guard hold(piece.count) else {
                    return refuse(status: 503, "the server is busy with other large requests; try again later")
                }
                if body.isEmpty { body = piece } else { body.append(contentsOf: piece) }
            case .end:
                return dispatch()
            case .failure(let failure):
                return refuse(status: failure.status, failure.message)
            }
            guard phase != .closed else { return }
        }
        switch parser?.phase {
        case .head where phase == .waiting:
            phase = .head
            setDeadline(core.configuration.headerDeadline)
        case .body where phase != .body:
            phase = .body
            windowBytes = 0
            setDeadline(core.configuration.bodyWindow)
        default: break
        }
    }

    /// Counts bytes of a body against what the server takes in all.
    private func hold(_ count: Int) -> Bool {
        guard core.heldInput + count <= core.configuration.bufferedInput else { return false }
        heldInput += count
        core.heldInput += count
        return true
    }

    private func releaseInput() {
        body = []
        core.heldInput -= heldInput
        heldInput = 0
    }

    private func dispatch() {
        guard let head else { return }
        phase = .handling
        clearDeadline()
        exchange &+= 1
        let request = head.request(
            body: body, remoteAddress: remoteAddress, clientCertificate: clientCertificate)
        body = []
        task = core.loop.start("http") { await self.serve(request) }
    }

    /// The answer has left. Goes on with what is buffered of the next request, or waits for one.
    func finishExchange() {
        head = nil
        task = nil
        releaseInput()
        guard keepsAlive, !core.isDraining else { return lingerThenClose() }
        phase = .waiting
        readingIsPaused = false
        if let parser, parser.bufferedBytes > 0 {
            setDeadline(core.configuration.idleDeadline)
            parse()
        } else {
            parser = nil
            setDeadline(core.configuration.idleDeadline)
        }
        updateInterest()
    }

    /// Ends our side and reads on for a moment: a close with unread input resets the connection, which could take our
    /// last answer away from the client before it has read it.
    func lingerThenClose() {
        phase = .lingering
        parser = nil
        tls?.sayFarewell()
        Glibc.shutdown(descriptor, Int32(SHUT_WR))
        readingIsPaused = false
        updateInterest()
        setDeadline(core.configuration.lingerDeadline)
    }

    // MARK: Deadlines

    func setDeadline(_ delay: Duration) {
        let instant = core.loop.monotonicNow.advanced(by: delay)
        deadline = instant
        guard instant < timerInstant else { return }
        if let timer { core.loop.cancel(timer) }
        timerInstant = instant
        timer = core.loop.after(delay) { self.timerFired() }
    }

    func clearDeadline() {
        deadline = nil
    }

    private func timerFired() {
        timer = nil
        timerInstant = MonotonicInstant(nanoseconds: .max)
        guard phase != .closed, let deadline else { return }
        let left = core.loop.monotonicNow.duration(to: deadline)
        if left > .zero {
            setDeadline(left)
        } else {
            self.deadline = nil
            deadlinePassed()
        }
    }

    private func deadlinePassed() {
        let configuration = core.configuration
        switch phase {
        case .handshaking, .waiting, .lingering: close()
        case .head:
            refuse(status: 408, "the request's headers took longer than \(configuration.headerDeadline)")
        case .body:
            guard windowBytes < configuration.leastBytes(in: configuration.bodyWindow) else {
                windowBytes = 0
                return setDeadline(configuration.bodyWindow)
            }
            refuse(status: 408, "the request's body came in at less than \(configuration.minimumRate) bytes a second")
        case .streaming, .flushing:
            guard outputBytes > 0 else { return }
            guard windowBytes < configuration.leastBytes(in: configuration.outputWindow) else {
                windowBytes = 0
                return setDeadline(configuration.outputWindow)
            }
            failWriters(HTTPStreamClosed(reason: "the client reads too slowly"))
            abort()
        case .handling, .closed: break
        }
    }
}

extension HTTPServerConfiguration {
    /// Bytes that have to pass in a window; at least one.
    func leastBytes(in window: Duration) -> Int {
        let milliseconds = window.clampedNanoseconds / 1_000_000
        let (product, overflow) = Int(milliseconds).multipliedReportingOverflow(by: minimumRate)
        return max(1, overflow ? .max : product / 1000)
    }
}
