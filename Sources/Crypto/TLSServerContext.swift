import COpenSSL

/// What a server shows of itself and asks of its clients in TLS: certificate, key, authorities.
///
/// TLS 1.2 and 1.3, forward secret suites of OpenSSL's defaults, ALPN `http/1.1`, no renegotiation, no compression.
/// Sessions are resumed by tickets, whose keys live and die with this value: a server that gets another one makes its
/// clients prove themselves anew.
///
/// Unchecked because it holds a C pointer: OpenSSL documents a context as safe to share between threads once it is not
/// changed any more, which is the case after `init`.
public final class TLSServerContext: @unchecked Sendable {
    /// Which clients must show a certificate of `clientAuthorities`.
    public enum ClientCertificates: Sendable, Hashable {
        /// None is asked for.
        case none
        /// It is asked for and verified; a client without one may come in and is known as such.
        case optional
        /// A client without one is refused in the handshake.
        case required
    }

    /// Longest chain from a client's certificate to its authority, and the most bytes of it.
    static let chainDepth: Int32 = 8
    static let chainBytes = 64 << 10

    /// Of the certificate that it shows.
    public let facts: CertificateFacts
    public let clientCertificates: ClientCertificates
    private let context: OpaquePointer

    /// - Parameters:
    ///   - certificate: PEM; the server's own first, then those between it and its authority.
    ///   - key: PEM, not encrypted.
    ///   - clientAuthorities: PEM; needed unless no certificate is asked for.
    /// - Throws: `TLSError` with code `.material`, which says which of the three it means and what would be right.
    public init(
        certificate: [UInt8], key: [UInt8], clientAuthorities: [UInt8] = [],
        clientCertificates: ClientCertificates = .none
    ) throws(TLSError) {
        let chain = try Self.naming("certificate") { () throws(TLSError) in try PEM.certificates(certificate) }
        guard let context = carillon_tls_server_context() else {
            throw TLSError(.material, "TLS cannot be set up: \(TLSError.queued(or: "no memory"))")
        }
        self.context = context
        self.clientCertificates = clientCertificates
        facts = chain[0].facts
        ERR_clear_error()
        guard SSL_CTX_use_certificate(context, chain[0].pointer) == 1 else {
            throw TLSError(.material, "the certificate is refused: \(TLSError.queued(or: "unknown"))")
        }
        for certificate in chain.dropFirst() where carillon_tls_add_chain(context, certificate.retained()) != 1 {
            throw TLSError(.material, "a certificate of the chain is refused: \(TLSError.queued(or: "unknown"))")
        }
        let privateKey = try Self.naming("key") { () throws(TLSError) in try PEM.privateKey(key) }
        defer { EVP_PKEY_free(privateKey) }
        guard SSL_CTX_use_PrivateKey(context, privateKey) == 1, SSL_CTX_check_private_key(context) == 1 else {
            ERR_clear_error()
            throw TLSError(
                .material,
                "the key does not belong to the certificate of \(facts.subject): give the pair that was "
                    + "made together; the server's own certificate stands first in its file")
        }
        if clientCertificates != .none { try askForCertificates(of: clientAuthorities) }
    }

    deinit { SSL_CTX_free(context) }

    private func askForCertificates(of authorities: [UInt8]) throws(TLSError) {
        let trusted = try Self.naming("client authority") { () throws(TLSError) in try PEM.certificates(authorities) }
        guard let store = SSL_CTX_get_cert_store(context) else { throw TLSError(.material, "no memory") }
        for authority in trusted {
            guard X509_STORE_add_cert(store, authority.pointer) == 1,
                SSL_CTX_add_client_CA(context, authority.pointer) == 1
            else { throw TLSError(.material, "the client authority is refused: \(TLSError.queued(or: "unknown"))") }
        }
        let strict = clientCertificates == .required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | strict, nil)
        SSL_CTX_set_verify_depth(context, Self.chainDepth)
        carillon_tls_limit_client_chain(context, Self.chainBytes)
    }

    private static func naming<T>(_ what: String, _ body: () throws(TLSError) -> T) throws(TLSError) -> T {
        do { return try body() } catch { throw TLSError(error.code, "the \(what): \(error.message)") }
    }

    /// The server's side of one connection, on a non-blocking descriptor that the caller keeps open until the channel
    /// has gone, and closes.
    public func channel(on descriptor: Int32) throws(TLSError) -> TLSChannel {
        ERR_clear_error()
        guard let ssl = SSL_new(context) else { throw TLSError(.peer, TLSError.queued(or: "no memory")) }
        guard SSL_set_fd(ssl, descriptor) == 1 else {
            SSL_free(ssl)
            throw TLSError(.peer, TLSError.queued(or: "no memory"))
        }
        SSL_set_accept_state(ssl)
        return TLSChannel(owning: ssl)
    }
}
