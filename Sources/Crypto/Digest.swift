import COpenSSL

/// Cryptographic digests.
public enum Digest {
    /// The length of a SHA-256 digest in bytes.
    public static let sha256ByteCount = 32

    /// The SHA-256 digest (FIPS 180-4) of the bytes: 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: sha256ByteCount) { output, count in
            let result = EVP_Digest(bytes, bytes.count, output.baseAddress, nil, Algorithm.sha256.pointer, nil)
            // It fails only when libcrypto cannot allocate, or without a default provider: there is no way on.
            precondition(result == 1, "libcrypto cannot compute SHA-256")
            count = sha256ByteCount
        }
    }
}

/// A digest algorithm that is fetched once: an implicit fetch a call costs more than hashing a short text.
///
/// Unchecked because the type is a C pointer; libcrypto documents fetched algorithms as immutable and safe to share
/// between threads. They are never freed.
struct Algorithm: @unchecked Sendable {
    let pointer: OpaquePointer

    static let sha256 = Algorithm(name: "SHA2-256")

    private init(name: String) {
        guard let fetched = EVP_MD_fetch(nil, name, nil) else {
            preconditionFailure("libcrypto offers no \(name): its default provider is missing")
        }
        pointer = fetched
    }
}
