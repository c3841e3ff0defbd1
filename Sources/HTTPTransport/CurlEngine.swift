import CCurl
import Runtime

/// libcurl's multi handle, its sockets and its one timer, as sources of the loop.
///
/// Unchecked: everything here but `loop` is touched on the loop's thread only; `HTTPClient` sees to that.
final class CurlEngine: @unchecked Sendable {
    /// Connections kept open for reuse, over all hosts.
    static let keptConnections = 128
    /// Handles that are kept for the next request: a handle is some 5 KB and costs allocations.
    static let keptHandles = 32

    private static let libraryIsReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    private let loop: EventLoop
    private let connectionsPerHost: Int
    private var multi: UnsafeMutableRawPointer?
    /// TLS sessions, for all handles: a connection to a server that is known is resumed instead of begun anew.
    private var share: UnsafeMutableRawPointer?
    private var transfers: [UnsafeMutableRawPointer: CurlTransfer] = [:]
    private var idleHandles: [UnsafeMutableRawPointer] = []
    private var watches: [Int32: Watch] = [:]
    private var timer: TimerToken?
    private var isShutDown = false

    init(loop: EventLoop, connectionsPerHost: Int) {
        self.loop = loop
        self.connectionsPerHost = connectionsPerHost
    }

    // MARK: Transfers

    /// - Parameter continuation: nil for a transfer whose body is streamed: `next` tells of its end.
    func begin(_ transfer: CurlTransfer, _ continuation: CurlTransfer.Continuation?) {
        transfer.continuation = continuation
        // The cancellation overtook the request.
        guard case .new = transfer.state else {
            end(transfer, .failure(CancellationError()))
            return
        }
        guard !isShutDown else {
            end(transfer, .failure(transfer.failure(.other, "the client is closed")))
            return
        }
        guard let multi = multi ?? open(), let handle = idleHandles.popLast() ?? makeHandle() else {
            end(transfer, .failure(transfer.failure(.other, "libcurl cannot be initialised: no memory")))
            return
        }
        do throws(HTTPClientError) {
            try transfer.configure(handle)
        } catch {
            recycle(transfer)
            end(transfer, .failure(error))
            return
        }
        transfer.state = .running
        transfers[handle] = transfer
        // libcurl answers with a timer of 0 ms, which begins the transfer on the loop's next turn.
        let result = curl_multi_add_handle(multi, handle)
        if result != CURLM_OK {
            let text = String(cString: curl_multi_strerror(result))
            finish(transfer, .failure(transfer.failure(.other, text)))
        }
    }

    /// Stops a transfer wherever it stands. Never called from within a callback of libcurl.
    func abort(_ transfer: CurlTransfer, _ error: any Error) {
        switch transfer.state {
        case .new:
            transfer.state = .ended
            transfer.feed?.end(.failure(error))
        case .running: finish(transfer, .failure(error))
        case .ended: break
        }
    }

    func shutDown() {
        guard !isShutDown else { return }
        isShutDown = true
        for transfer in Array(transfers.values) {
            finish(transfer, .failure(transfer.failure(.other, "the client was closed")))
        }
        for handle in idleHandles { curl_easy_cleanup(handle) }
        idleHandles = []
        // Closes the kept connections, which takes their watches away by callback.
        if let multi { curl_multi_cleanup(multi) }
        multi = nil
        if let share { curl_share_cleanup(share) }
        share = nil
        for watch in watches.values { watch.cancel() }
        watches = [:]
        setTimer(nil)
    }

    private func open() -> UnsafeMutableRawPointer? {
        guard Self.libraryIsReady, let multi = curl_multi_init() else { return nil }
        // Unretained: `shutDown` ends the multi handle before this object can go, see HTTPClient.deinit.
        let context = Unmanaged.passUnretained(self).toOpaque()
        carillon_curl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context)
        carillon_curl_multi_set_socket_callback(multi, curlSocketChanged)
        carillon_curl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context)
        carillon_curl_multi_set_timer_callback(multi, curlTimerChanged)
        carillon_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.keptConnections)
        carillon_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, connectionsPerHost)
        self.multi = multi
        share = curl_share_init()
        // All of it happens on the loop's thread: no locks.
        if let share { carillon_curl_share_data(share, CURL_LOCK_DATA_SSL_SESSION) }
        return multi
    }

    /// Stays with the share through every reset.
    private func makeHandle() -> UnsafeMutableRawPointer? {
        let handle = curl_easy_init()
        if let handle, let share { CurlSetting(handle: handle).set(CURLOPT_SHARE, share) }
        return handle
    }

    private func finish(_ transfer: CurlTransfer, _ outcome: Result<HTTPClientResponse, any Error>) {
        if let handle = transfer.handle {
            transfers[handle] = nil
            if let multi { curl_multi_remove_handle(multi, handle) }
        }
        recycle(transfer)
        end(transfer, outcome)
    }

    private func recycle(_ transfer: CurlTransfer) {
        guard let handle = transfer.handle else { return }
        transfer.handle = nil
        // Keeps nothing of the request; connections and look-ups stay, they are the multi handle's.
        curl_easy_reset(handle)
        curl_slist_free_all(transfer.headerList)
        transfer.headerList = nil
        if idleHandles.count < Self.keptHandles && !isShutDown {
            idleHandles.append(handle)
        } else {
            curl_easy_cleanup(handle)
        }
    }

    private func end(_ transfer: CurlTransfer, _ outcome: Result<HTTPClientResponse, any Error>) {
        transfer.state = .ended
        let continuation = transfer.continuation
        transfer.continuation = nil
        continuation?.resume(with: outcome)
        transfer.feed?.end(outcome.map(\.head))
    }

    /// The next part of a streamed body, or its end; lets libcurl read on where it was stopped by a slow reader.
    func next(_ transfer: CurlTransfer, _ continuation: CurlFeed.Continuation) {
        guard let feed = transfer.feed else {
            continuation.resume(throwing: transfer.failure(.other, "its body is not streamed"))
            return
        }
        feed.next(continuation)
        if feed.mayResume, let handle = transfer.handle {
            feed.isPaused = false
            // Delivers what it has kept, by callback, and begins to read again.
            curl_easy_pause(handle, CURLPAUSE_CONT)
        }
    }

    // MARK: Events

    /// Something may have happened on a socket, or, with -1 (CURL_SOCKET_TIMEOUT), time has passed.
    private func act(on socket: Int32, _ events: Int32) {
        guard let multi else { return }
        var running: Int32 = 0
        curl_multi_socket_action(multi, socket, events, &running)
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
                let transfer = transfers[handle]
            else { continue }
            finish(transfer, transfer.outcome(carillon_curl_message_result(message)))
        }
    }

    /// What libcurl wants to know of a socket; nil: nothing any more.
    func watch(_ socket: Int32, _ interest: Interest?) {
        guard let interest else {
            watches.removeValue(forKey: socket)?.cancel()
            return
        }
        if let known = watches[socket] {
            known.update(interest)
            return
        }
        do {
            watches[socket] = try loop.watch(socket, interest) { [weak self] readiness in
                var events: Int32 = 0
                if readiness.contains(.read) { events |= CURL_CSELECT_IN }
                if readiness.contains(.write) { events |= CURL_CSELECT_OUT }
                if readiness.contains(.error) { events |= CURL_CSELECT_ERR }
                self?.act(on: socket, events)
            }
        } catch {
            // The transfer then runs into its own time limit, which is the only error libcurl can tell from here.
        }
    }

    func setTimer(_ delay: Duration?) {
        if let timer { loop.cancel(timer) }
        timer = nil
        guard let delay else { return }
        timer = loop.after(delay) { [weak self] in
            self?.timer = nil
            self?.act(on: -1, 0)
        }
    }
}
