import Glibc

/// The small files of control groups and of /proc. Calls block, though never for a disk.
enum GroupFile {
    private static let capacity = 4096

    /// Nil when it cannot be read; `errno` says why.
    static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 1) { buffer in
            var bytes: [UInt8] = []
            while true {
                let count = Glibc.read(descriptor, buffer.baseAddress, capacity)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { return nil }
                if count == 0 { return bytes }
                bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }

    static func text(_ path: String) -> String? { read(path).map { String(decoding: $0, as: UTF8.self) } }

    /// False: `errno` says why. The file is never made.
    static func write(_ text: String, to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var text = text
        return text.withUTF8 { bytes in Glibc.write(descriptor, bytes.baseAddress, bytes.count) == bytes.count }
    }

    /// Value of a line "name value".
    static func value(_ name: StaticString, in bytes: [UInt8]?) -> Int64? {
        guard let bytes else { return nil }
        return name.withUTF8Buffer { wanted in
            for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: wanted) {
                let rest = line.dropFirst(wanted.count)
                guard rest.first == UInt8(ascii: " ") else { continue }
                return number(rest.dropFirst())
            }
            return nil
        }
    }

    /// Digits up to the first other byte; nil when there is none, or too many.
    static func number(_ bytes: some Sequence<UInt8>) -> Int64? {
        var value: Int64?
        for byte in bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { break }
            let (product, tooMuch) = (value ?? 0).multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !tooMuch, !overflow else { return nil }
            value = sum
        }
        return value
    }

    /// One number a line.
    static func numbers(_ bytes: [UInt8]?) -> [Int32] {
        (bytes ?? []).split(separator: UInt8(ascii: "\n")).compactMap { number($0).flatMap(Int32.init(exactly:)) }
    }
}
