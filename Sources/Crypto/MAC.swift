import COpenSSL

/// Message authentication codes.
public enum MAC {
    /// HMAC-SHA256 (RFC 2104) of the message: 32 bytes. Any key length is allowed, none included.
    public static func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        // HMAC() reads NULL as "reuse the former key"; an empty key must therefore still have an address.
        let storage = key.isEmpty ? [0] : key
        return [UInt8](unsafeUninitializedCapacity: Digest.sha256ByteCount) { output, count in
            let result = HMAC(
                Algorithm.sha256.pointer, storage, Int32(clamping: key.count), message, message.count,
                output.baseAddress, nil)
            precondition(result != nil, "libcrypto cannot compute HMAC-SHA256")
            count = Digest.sha256ByteCount
        }
    }
}
