import COpenSSL

/// The server's side of one TLS connection on a non-blocking descriptor. No call blocks.
///
/// It reads one record at a time and no further: what it has not returned is still in the kernel, so that readiness of
/// the descriptor says all there is to say. It writes as `send` does: it takes some of the bytes or none; bytes that it
/// did not take must be offered again, with those before and after them unchanged.
///
/// Unchecked: used by one thread at a time, which its owner sees to.
public final class TLSChannel: @unchecked Sendable {
    public enum Result: Sendable, Equatable {
        /// The handshake is done; so many bytes were read or written.
        case done(Int)
        /// Again when the descriptor is readable, or writable.
        case wantsRead
        case wantsWrite
        /// The peer has said that it sends nothing more, or is gone.
        case ended
        case failed(TLSError)
    }

    private let ssl: OpaquePointer
    /// After a fatal error no more can be said, not even farewell.
    private var isBroken = false

    init(owning ssl: OpaquePointer) {
        self.ssl = ssl
    }

    deinit { SSL_free(ssl) }

    /// Goes on with the handshake; `.done(0)` at its end. Costs up to some milliseconds of computing: the signature.
    public func handshake() -> Result {
        ERR_clear_error()
        let code = SSL_do_handshake(ssl)
        return code == 1 ? .done(0) : result(code)
    }

    /// Decrypts the next record, at most 16 KiB.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> Result {
        ERR_clear_error()
        let count = SSL_read(ssl, buffer.baseAddress, Int32(clamping: buffer.count))
        return count > 0 ? .done(Int(count)) : result(count)
    }

    /// Encrypts and sends some of the bytes, at most one record.
    public func write(_ bytes: UnsafeRawBufferPointer) -> Result {
        guard !bytes.isEmpty else { return .done(0) }
        ERR_clear_error()
        let count = SSL_write(ssl, bytes.baseAddress, Int32(clamping: bytes.count))
        return count > 0 ? .done(Int(count)) : result(count)
    }

    /// Tells the peer that nothing more is sent, if the kernel takes that now: what was sent is then known to be whole.
    public func sayFarewell() {
        guard !isBroken, SSL_is_init_finished(ssl) == 1 else { return }
        ERR_clear_error()
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// Subject of the certificate that the client has shown and that was verified; nil if it has shown none.
    public var clientSubject: String? {
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return nil }
        defer { X509_free(certificate) }
        guard SSL_get_verify_result(ssl) == X509_V_OK else { return nil }
        return PEM.Certificate.subject(of: certificate)
    }

    private func result(_ code: Int32) -> Result {
        switch SSL_get_error(ssl, code) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_ZERO_RETURN: return .ended
        case SSL_ERROR_SYSCALL:
            isBroken = true
            ERR_clear_error()
            return .ended
        default:
            isBroken = true
            return failure()
        }
    }

    private func failure() -> Result {
        let error = ERR_peek_error()
        if carillon_error_is_truncation(error) == 1 {
            ERR_clear_error()
            return .ended
        }
        let code: TLSError.Code = carillon_error_is_plain_http(error) == 1 ? .plainHTTP : .peer
        var text = TLSError.queued(or: "the peer broke the protocol")
        let verdict = SSL_get_verify_result(ssl)
        if verdict != X509_V_OK, let reason = X509_verify_cert_error_string(verdict) {
            text += " (\(String(cString: reason)))"
        }
        return .failed(TLSError(code, text))
    }
}
