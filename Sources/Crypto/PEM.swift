import COpenSSL

/// Certificates and keys in PEM, the text form of files.
enum PEM {
    /// More certificates in one file are refused: the system's own list has about 150.
    static let mostCertificates = 1_000

    /// A certificate that is freed with its last user.
    ///
    /// Unchecked because the type is a C pointer; it is never changed once it was read.
    final class Certificate: @unchecked Sendable {
        let pointer: OpaquePointer

        init(owning pointer: OpaquePointer) {
            self.pointer = pointer
        }

        deinit { X509_free(pointer) }

        /// Another reference, for a library that takes ownership.
        func retained() -> OpaquePointer {
            X509_up_ref(pointer)
            return pointer
        }

        var facts: CertificateFacts {
            CertificateFacts(
                subject: Self.subject(of: pointer),
                notBeforeSeconds: Int64(carillon_unix_seconds(X509_get0_notBefore(pointer))),
                notAfterSeconds: Int64(carillon_unix_seconds(X509_get0_notAfter(pointer))))
        }

        static func subject(of certificate: OpaquePointer) -> String {
            var buffer = [CChar](repeating: 0, count: 512)
            let count = carillon_subject(certificate, &buffer, Int32(buffer.count))
            return String(decoding: buffer[..<Int(count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// All certificates of a text, in order; at least one.
    static func certificates(_ text: [UInt8]) throws(TLSError) -> [Certificate] {
        ERR_clear_error()
        guard let source = BIO_new_mem_buf(text, Int32(clamping: text.count)) else {
            throw TLSError(.material, "no memory to read it")
        }
        defer { BIO_free(source) }
        var certificates: [Certificate] = []
        while let pointer = PEM_read_bio_X509(source, nil, nil, nil) {
            certificates.append(Certificate(owning: pointer))
            guard certificates.count <= mostCertificates else {
                throw TLSError(.material, "it holds more than \(mostCertificates) certificates")
            }
        }
        guard carillon_error_is_end_of_pem() == 1 else {
            throw TLSError(.material, "it cannot be read: \(TLSError.queued(or: "broken PEM"))")
        }
        ERR_clear_error()
        guard !certificates.isEmpty else {
            throw TLSError(
                .material, "it holds no certificate: PEM is expected, with lines \"-----BEGIN CERTIFICATE-----\"")
        }
        return certificates
    }

    /// The first private key of a text, which the caller frees.
    static func privateKey(_ text: [UInt8]) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let source = BIO_new_mem_buf(text, Int32(clamping: text.count)) else {
            throw TLSError(.material, "no memory to read it")
        }
        defer { BIO_free(source) }
        var isEncrypted: Int32 = 0
        if let key = carillon_read_private_key(source, &isEncrypted) { return key }
        defer { ERR_clear_error() }
        guard isEncrypted == 0 else {
            throw TLSError(
                .material,
                "it is encrypted, and there is nobody to ask for its passphrase: store it without one "
                    + "(openssl pkey -in FILE -out NEW), readable for Carillon's user alone")
        }
        throw TLSError(
            .material, "it holds no private key: PEM is expected, with a line \"-----BEGIN PRIVATE KEY-----\"")
    }
}

/// What a certificate says of itself.
public struct CertificateFacts: Sendable, Equatable {
    /// Such as `CN = node-1.example.com`.
    public let subject: String
    /// Seconds since 1970.
    public let notBeforeSeconds: Int64
    /// Seconds since 1970; no client believes it later.
    public let notAfterSeconds: Int64

    /// The first certificate of a PEM text.
    public static func first(of text: [UInt8]) throws(TLSError) -> CertificateFacts {
        // There is at least one, or it has thrown.
        guard let first = try PEM.certificates(text).first else { throw TLSError(.material, "it holds no certificate") }
        return first.facts
    }
}
