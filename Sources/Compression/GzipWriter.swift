import CZlib

/// Compresses a text that comes in pieces into one gzip member. Not for several threads at once.
public final class GzipWriter {
    private var stream = z_stream()
    private var isOpen = false
    private var room: [UInt8]

    /// - Throws: `GzipError.memory`.
    public init(level: Int = Gzip.defaultLevel) throws(GzipError) {
        room = [UInt8](repeating: 0, count: 64 * 1024)
        guard carillon_gzip_deflate_init(&stream, Int32(min(max(level, 1), 9))) == Z_OK else {
            throw GzipError(code: .memory, message: "zlib cannot allocate a compressor")
        }
        isOpen = true
    }

    deinit {
        if isOpen { deflateEnd(&stream) }
    }

    /// - Parameter output: what is compressed is appended to it.
    public func write(_ bytes: ArraySlice<UInt8>, to output: inout [UInt8]) throws(GzipError) {
        try run(bytes, Z_NO_FLUSH, &output)
    }

    /// The end of the member. Nothing can be written after it.
    public func finish(to output: inout [UInt8]) throws(GzipError) {
        try run([], Z_FINISH, &output)
        deflateEnd(&stream)
        isOpen = false
    }

    private func run(_ bytes: ArraySlice<UInt8>, _ flush: Int32, _ output: inout [UInt8]) throws(GzipError) {
        guard isOpen else { throw GzipError(code: .damaged, message: "the gzip member has ended") }
        var result = Z_OK
        bytes.withUnsafeBufferPointer { input in
            // zlib's type is not const, but deflate only reads its input.
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.avail_in = UInt32(input.count)
            repeat {
                let produced = room.withUnsafeMutableBufferPointer { room in
                    stream.next_out = room.baseAddress
                    stream.avail_out = UInt32(room.count)
                    result = deflate(&stream, flush)
                    return room.count - Int(stream.avail_out)
                }
                output += room[..<produced]
            } while result == Z_OK && stream.avail_out == 0
        }
        // Z_BUF_ERROR: there was nothing to do.
        guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
            throw GzipError(code: .memory, message: "zlib stopped with status \(result)")
        }
    }
}
