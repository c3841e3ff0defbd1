import CZlib

/// Why bytes could not be compressed or expanded.
public struct GzipError: Error, Sendable, CustomStringConvertible {
    /// What about the input went wrong.
    public enum Code: Sendable {
        /// Not gzip, cut short, or damaged.
        case damaged
        /// More bytes than the caller allows.
        case tooLarge
        /// zlib has no memory left.
        case memory
    }

    public let code: Code
    public let message: String
    public var description: String { message }

    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }
}

/// The gzip format (RFC 1952) by zlib. Pure functions; what is large belongs on a `BlockingPool`, not on the loop.
public enum Gzip {
    /// zlib's scale is 1 (fast) to 9 (small). Listings shrink to the same tenth from 4 on.
    public static let defaultLevel = 4
    /// The most bytes that one call takes in or gives out.
    public static let maximumBytes = 1 << 30

    /// One gzip member that holds the bytes. A level outside 1…9 is brought into it.
    public static func compress(_ bytes: [UInt8], level: Int = defaultLevel) throws(GzipError) -> [UInt8] {
        guard bytes.count <= maximumBytes else {
            throw GzipError(code: .tooLarge, message: "more than \(maximumBytes) bytes to compress at once")
        }
        var stream = z_stream()
        guard carillon_gzip_deflate_init(&stream, Int32(min(max(level, 1), 9))) == Z_OK else {
            throw GzipError(code: .memory, message: "zlib cannot allocate a compressor")
        }
        defer { deflateEnd(&stream) }
        // deflateBound promises that this is room enough for all of it in one call.
        let room = Int(deflateBound(&stream, UInt(bytes.count)))
        var result = Z_OK
        let output = [UInt8](unsafeUninitializedCapacity: room) { output, count in
            bytes.withUnsafeBufferPointer { input in
                // zlib's type is not const, but deflate only reads its input.
                stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                result = deflate(&stream, Z_FINISH)
            }
            count = room - Int(stream.avail_out)
        }
        guard result == Z_STREAM_END else {
            throw GzipError(code: .memory, message: "zlib stopped with status \(result)")
        }
        return output
    }

    /// The bytes that one or several gzip members hold. Never gives out more than `limit` bytes, whatever the input
    /// claims, so that a small bomb cannot take the memory.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(GzipError) -> [UInt8] {
        let limit = min(max(limit, 0), maximumBytes)
        guard bytes.count <= maximumBytes else {
            throw GzipError(code: .tooLarge, message: "more than \(maximumBytes) compressed bytes at once")
        }
        var stream = z_stream()
        guard carillon_gzip_inflate_init(&stream) == Z_OK else {
            throw GzipError(code: .memory, message: "zlib cannot allocate an expander")
        }
        defer { inflateEnd(&stream) }
        var output: [UInt8] = []
        // One byte more than allowed, to tell "exactly the limit" from "beyond it".
        var chunk = [UInt8](repeating: 0, count: min(max(4 * bytes.count, 1024), 64 * 1024, limit + 1))
        var consumed = 0
        while true {
            let before = consumed
            let (status, produced) = step(&stream, bytes, &consumed, &chunk)
            guard output.count + produced <= limit else {
                throw GzipError(code: .tooLarge, message: "the expanded bytes are more than \(limit)")
            }
            output.append(contentsOf: chunk[..<produced])
            switch status {
            case Z_STREAM_END where consumed == bytes.count:
                return output
            case Z_STREAM_END:
                inflateReset(&stream)
            case Z_OK where produced > 0 || consumed > before:
                continue
            case Z_MEM_ERROR:
                throw GzipError(code: .memory, message: "zlib cannot allocate its window")
            case Z_OK, Z_BUF_ERROR:
                throw GzipError(code: .damaged, message: "the gzip stream is cut short after \(bytes.count) bytes")
            default:
                throw GzipError(code: .damaged, message: "not a gzip stream, or damaged near byte \(consumed)")
            }
        }
    }

    /// The bytes as one gzip member that holds them as they are, for texts that are not worth a compressor.
    public static func frame(_ bytes: [UInt8]) -> [UInt8] {
        guard (1...storedBlock).contains(bytes.count) else { return frameEmptyOrLong(bytes) }
        var member: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]
        member.reserveCapacity(bytes.count + 23)
        // One block, the last, not compressed: its length and the complement of that (RFC 1951 §3.2.4).
        let length = UInt16(bytes.count)
        member.append(1)
        append(UInt64(length), 2, to: &member)
        append(UInt64(~length), 2, to: &member)
        member += bytes
        let checksum = bytes.withUnsafeBufferPointer { crc32(0, $0.baseAddress, UInt32($0.count)) }
        append(UInt64(checksum), 4, to: &member)
        append(UInt64(bytes.count), 4, to: &member)
        return member
    }

    private static let storedBlock = 65_535

    private static func frameEmptyOrLong(_ bytes: [UInt8]) -> [UInt8] {
        guard !bytes.isEmpty else { return [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0] }
        var members: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            members += frame(Array(rest.prefix(storedBlock)))
            rest = rest.dropFirst(storedBlock)
        }
        return members
    }

    private static func append(_ value: UInt64, _ count: Int, to bytes: inout [UInt8]) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))) }
    }

    private static func step(
        _ stream: inout z_stream, _ bytes: [UInt8], _ consumed: inout Int, _ chunk: inout [UInt8]
    ) -> (status: Int32, produced: Int) {
        let room = chunk.count
        return bytes.withUnsafeBufferPointer { input in
            chunk.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress.map { UnsafeMutablePointer(mutating: $0 + consumed) }
                stream.avail_in = UInt32(input.count - consumed)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(room)
                let status = inflate(&stream, Z_NO_FLUSH)
                consumed = input.count - Int(stream.avail_in)
                return (status, room - Int(stream.avail_out))
            }
        }
    }
}
