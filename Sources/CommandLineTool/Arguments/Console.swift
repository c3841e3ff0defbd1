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

    private static func write(_ line: String, to descriptor: Int32) {
        let bytes = Array((line + "\n").utf8)
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
