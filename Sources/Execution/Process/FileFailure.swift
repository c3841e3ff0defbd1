import Glibc

/// Failures of files as reasons for people.
enum FileFailure {
    /// Reads `errno`.
    static func launch(_ what: String) -> LaunchError {
        let number = errno
        let words = String(cString: strerror(number))
        if number == ENOSPC || number == EDQUOT { return LaunchError("the worker's disk is full (\(what): \(words))") }
        return LaunchError("\(what): \(words)")
    }

    static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) throws(LaunchError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw launch("cannot write the log file") }
            rest = rest.dropFirst(count)
        }
    }
}
