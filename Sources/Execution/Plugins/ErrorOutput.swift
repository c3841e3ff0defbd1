import Domain
import JSON
import Synchronization

/// The shell plugin's standard error: into the log, and its beginning into a report (cronicle.md §3.7).
final class ErrorOutput: OutputReceiver {
    private let log: OutputLog
    private let kept = Mutex<[UInt8]>([])

    init(log: OutputLog) { self.log = log }

    func write(_ bytes: [UInt8]) throws(LaunchError) {
        kept.withLock { kept in
            let room = PluginLimits.errorOutput - kept.count
            if room > 0 { kept += bytes.prefix(room) }
        }
        try log.write(bytes)
    }

    var beginning: [UInt8] { kept.withLock { $0 } }

    /// Goes on where another one has stopped.
    func resume(_ beginning: [UInt8]) { kept.withLock { $0 = beginning } }

    /// Nil where nothing was written.
    var html: JSONValue? {
        let text = text
        guard !text.isEmpty else { return nil }
        return ["title": "Error Output", "content": .string("<pre>\(text.escapedForHTML)</pre>")]
    }

    /// The first line, where it is short enough for a description.
    var firstLine: String? {
        guard let line = text.split(whereSeparator: \.isNewline).first, line.utf8.count < PluginLimits.errorLine
        else { return nil }
        return String(line)
    }

    private var text: String {
        var bytes = kept.withLock { $0 }[...]
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        while let first = bytes.first, first <= 0x20 { bytes.removeFirst() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
