import CZlib

/// Expands one or several gzip members that come in pieces. Not for several threads at once.
public final class GzipReader {
    private var stream = z_stream()
    private var input: [UInt8] = []
    private var consumed = 0
    private var total = 0
    private var isBetweenMembers = true

    /// - Throws: `GzipError.memory`.
    public init() throws(GzipError) {
        guard carillon_gzip_inflate_init(&stream) == Z_OK else {
            throw GzipError(code: .memory, message: "zlib cannot allocate an expander")
        }
    }

    deinit { inflateEnd(&stream) }

    /// The next piece of input. All that can be read of the one before must have been read.
    public func feed(_ bytes: [UInt8]) {
        precondition(consumed == input.count, "the piece before was not read to its end")
        input = bytes
        consumed = 0
    }

    /// The next bytes, at most so many; nil when more input is needed.
    /// - Throws: `GzipError.damaged`, `.memory`.
    public func read(_ limit: Int) throws(GzipError) -> [UInt8]? {
        while true {
            if isBetweenMembers, consumed == input.count { return nil }
            var output = [UInt8](repeating: 0, count: max(1, limit))
            let before = consumed
            let (status, produced) = input.withUnsafeBufferPointer { input in
                output.withUnsafeMutableBufferPointer { output in
                    // zlib's type is not const, but inflate only reads its input.
                    stream.next_in = input.baseAddress.map { UnsafeMutablePointer(mutating: $0 + consumed) }
                    stream.avail_in = UInt32(input.count - consumed)
                    stream.next_out = output.baseAddress
                    stream.avail_out = UInt32(output.count)
                    let status = inflate(&stream, Z_NO_FLUSH)
                    consumed = input.count - Int(stream.avail_in)
                    return (status, output.count - Int(stream.avail_out))
                }
            }
            total += consumed - before
            isBetweenMembers = status == Z_STREAM_END
            switch status {
            case Z_STREAM_END: inflateReset(&stream)
            case Z_OK: break
            // Nothing to do without more input.
            case Z_BUF_ERROR: if produced == 0 { return nil }
            case Z_MEM_ERROR: throw GzipError(code: .memory, message: "zlib cannot allocate its window")
            default: throw GzipError(code: .damaged, message: "not a gzip stream, or damaged near byte \(total)")
            }
            if produced > 0 { return Array(output[..<produced]) }
        }
    }

    /// To be asked at the end of the input.
    /// - Throws: `GzipError.damaged` when a member has not ended.
    public func finish() throws(GzipError) {
        guard isBetweenMembers, consumed == input.count else {
            throw GzipError(code: .damaged, message: "the gzip stream is cut short after \(total) bytes")
        }
    }
}
