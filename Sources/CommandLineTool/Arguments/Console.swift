import Glibc

/// What a command says. Written at once, so that lines of several writers keep their order.
enum Console {
    /// Results, on standard output.
    static func out(_ line: String) {
        write(line, to: STDOUT_FILENO)
    }

    /// Errors and progress, on standard error.
    static func error(_ line: String) {
        write(line, to: STDERR_FILENO)
    }

    /// Bytes on standard error as they are.
    static func error(bytes: [UInt8]) {
        write(bytes, to: STDERR_FILENO)
    }

    /// Bytes of a result as they are.
    static func out(bytes: [UInt8]) {
        write(bytes, to: STDOUT_FILENO)
    }

    private static func write(_ line: String, to descriptor: Int32) {
        write(Array((line + "\n").utf8), to: descriptor)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        bytes.withUnsafeBytes { buffer in
            var rest = UnsafeRawBufferPointer(rebasing: buffer[...])
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                // Nobody reads: there is nobody to tell either.
                guard count > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }
}
