import COpenSSL

/// Why random bytes could not be made.
public struct RandomBytesError: Error, Sendable, CustomStringConvertible {
    /// What happened and what to do about it.
    public let message: String
    public var description: String { message }
}

/// Unpredictable bytes from libcrypto's generator, which is seeded by the kernel.
public enum RandomBytes {
    /// The most bytes one call makes.
    public static let maximumCount = 1 << 20

    /// As many unpredictable bytes as asked for, fit for keys. Throws when there is no entropy, or outside 0…2^20.
    public static func make(_ count: Int) throws -> [UInt8] {
        guard (0...maximumCount).contains(count) else {
            throw RandomBytesError(message: "\(count) random bytes were asked for; 0 to \(maximumCount) can be made")
        }
        var bytes = [UInt8](repeating: 0, count: count)
        guard count == 0 || RAND_bytes(&bytes, Int32(count)) == 1 else {
            throw RandomBytesError(message: "the system's random generator failed; check that /dev/urandom can be read")
        }
        return bytes
    }
}
