import Crypto
import Glibc
import HTTP
import Runtime

/// TLS below a connection: the handshake before its first request, and reading and writing through the channel.
///
/// The channel is made when the first bytes come, so that a client which only connects costs no more than without TLS.
/// Each step of the handshake is computed on the pool; until it is back the descriptor is not watched and not closed.
extension Connection {
    /// The client has sent something of the handshake, or has room for ours.
    func goOnWithHandshake() {
        guard !handshakeIsAway else { return }
        do {
            let channel = try tls ?? core.tls?.channel(on: descriptor)
            guard let channel else { return close() }
            tls = channel
            handshakeIsAway = true
            setInterest([])
            core.shakeHands(self, channel)
        } catch {
            core.logSparsely("a connection was closed: \(error)")
            close()
        }
    }

    func handshakeReturned(_ result: TLSChannel.Result) {
        handshakeIsAway = false
        // Closed meanwhile, but for the descriptor, which the thread still had.
        guard phase == .handshaking else { return closeDescriptor() }
        switch result {
        case .done:
            clientCertificate = tls?.clientSubject
            phase = .waiting
            setDeadline(core.configuration.idleDeadline)
            updateInterest()
        case .wantsRead: setInterest(.read)
        case .wantsWrite: setInterest(.write)
        case .ended: close()
        case .failed(let error): refuseHandshake(error)
        }
    }

    private func refuseHandshake(_ error: TLSError) {
        guard error.code == .plainHTTP else {
            core.logSparsely("the TLS handshake with \(remoteAddress) failed: \(error)")
            // OpenSSL has told the client why; that must not get lost.
            return lingerThenClose()
        }
        tls = nil
        refuse(status: 400, "this port speaks HTTPS: write https:// instead of http:// in the URL")
    }

    func closeDescriptor() {
        if handshakeIsAway {
            shutdown(descriptor, Int32(SHUT_RDWR))
        } else {
            Glibc.close(descriptor)
        }
    }

    /// The next record, decrypted into the core's buffer; nil where none has come. Closes at the end.
    func take(from tls: TLSChannel) -> Int? {
        switch tls.read(into: core.readBuffer) {
        case .done(let count): return count
        case .wantsRead: break
        case .wantsWrite:
            awaitsRoom = true
            updateInterest()
        case .ended, .failed: close()
        }
        return nil
    }

    /// While an answer is streamed: the client's farewell ends it; a record of the next request is kept for later, and
    /// no more is read. Without TLS a look into the kernel is enough (`lookForEnd`).
    func readAhead() {
        guard let tls, let count = take(from: tls) else { return }
        feed(count)
        readingIsPaused = true
        updateInterest()
    }

    /// Returns how many bytes were taken; 0 when none are now, or when the connection was closed.
    func transmit(_ bytes: [UInt8], from offset: Int, through tls: TLSChannel) -> Int {
        switch bytes.withUnsafeBytes({ tls.write(UnsafeRawBufferPointer(rebasing: $0[offset...])) }) {
        case .done(let count): return count
        case .wantsWrite: break
        // To be read from before it can be written to is what only a client that plays with the protocol brings about.
        case .wantsRead, .ended, .failed: close()
        }
        return 0
    }
}

extension ServerCore {
    /// Computes the next step of a handshake on the pool.
    func shakeHands(_ connection: Connection, _ channel: TLSChannel) {
        let pool = handshakes
        loop.start("tls") {
            let result: TLSChannel.Result
            do {
                result = try await pool.run { channel.handshake() }
            } catch {
                // The server is being stopped, or the machine gives it no thread.
                result = .ended
            }
            connection.handshakeReturned(result)
        }
    }
}
