public import Execution
import HTTP
public import HTTPTransport
import Synchronization

/// Downloads by http, https and ftp.
///
/// Addresses are judged by the egress policy right before each connection, redirects included, of which three are
/// followed. Versions are told by strong entity tags or dates of change (HTTP), or by date of change (FTP).
public struct URLDownloader: Downloader {
    private let client: HTTPClient
    private let egress: EgressPolicy

    public init(client: HTTPClient, egress: EgressPolicy) {
        self.client = client
        self.egress = egress
    }

    public func download(_ request: DownloadRequest, into sink: any DownloadSink) async throws -> DownloadResult {
        do {
            if request.uri.prefix(6).lowercased() == "ftp://" { return try await byFTP(request, into: sink) }
            return try await byHTTP(request, into: sink)
        } catch let error as HTTPClientError {
            throw Self.translated(error)
        }
    }

    // MARK: HTTP

    private func byHTTP(_ request: DownloadRequest, into sink: any DownloadSink) async throws -> DownloadResult {
        var message = message(request)
        switch request.possession {
        case .nothing: break
        case .part(let bytes, let validator):
            message.headers.add("Range", "bytes=\(bytes)-")
            if let version = Version(validator) { message.headers.add("If-Range", version.header) }
        case .copy(let validator):
            if let version = Version(validator) {
                message.headers.add(version.isTag ? "If-None-Match" : "If-Modified-Since", version.header)
            }
        }
        let begun = Mutex(false)
        let head = try await client.stream(message) { head, bytes in
            guard Self.hasContent(head.status) else { return }
            if !begun.withLock({ $0 }) {
                begun.withLock { $0 = true }
                try await Self.begin(head, request, sink)
            }
            try await sink.write(bytes)
        }
        switch head.status {
        case 200, 203, 206:
            // An empty file.
            if !begun.withLock({ $0 }) { try await Self.begin(head, request, sink) }
            return .complete(validator: Version(head.headers)?.text)
        case 304:
            guard case .copy = request.possession else { break }
            return .unchanged
        case 416:
            // The rest of what has changed meanwhile: from the beginning, then.
            try await sink.begin(isContinuation: false, validator: nil)
            throw DownloadError("the server does not have the rest of it", mayRetry: true)
        default: break
        }
        let mayRetry = [408, 425, 429, 500, 502, 503, 504].contains(head.status)
        throw DownloadError("the server has answered with status \(head.status)", mayRetry: mayRetry)
    }

    private static func hasContent(_ status: Int) -> Bool { [200, 203, 206].contains(status) }

    private static func begin(
        _ head: HTTPClientHead, _ request: DownloadRequest, _ sink: any DownloadSink
    ) async throws {
        var isContinuation = false
        if head.status == 206 {
            guard case .part(let bytes, _) = request.possession,
                head.headers["Content-Range"]?.lowercased().hasPrefix("bytes \(bytes)-") == true
            else { throw DownloadError("the server has sent another part than it was asked for", mayRetry: true) }
            isContinuation = true
        }
        try await sink.begin(isContinuation: isContinuation, validator: Version(head.headers)?.text)
    }

    // MARK: FTP

    /// FTP knows no conditions: the date is asked for first.
    private func byFTP(_ request: DownloadRequest, into sink: any DownloadSink) async throws -> DownloadResult {
        var question = message(request)
        question.method = .head
        let date = try await client.stream(question) { _, _ in }.fileTimeSeconds.map { "\($0)" }
        let version = date.map { "ftp \($0)" }
        var message = message(request)
        var isContinuation = false
        switch request.possession {
        case .nothing: break
        case .part(let bytes, let validator):
            if version == validator {
                message.resumesAt = Int(clamping: bytes)
                isContinuation = true
            }
        case .copy(let validator):
            if version == validator { return .unchanged }
        }
        try await sink.begin(isContinuation: isContinuation, validator: version)
        _ = try await client.stream(message) { _, bytes in try await sink.write(bytes) }
        return .complete(validator: version)
    }

    // MARK: Parts

    private func message(_ request: DownloadRequest) -> HTTPClientRequest {
        let egress = self.egress
        var message = HTTPClientRequest(
            url: Self.withoutFragment(request.uri), timeout: request.timeLimit, connectTimeout: .seconds(15),
            maximumResponseBytes: Int(clamping: request.byteLimit), followRedirects: true,
            permitsAddress: { egress.permits($0) })
        message.idleTimeout = OutboundLimits.idle
        message.allowsFTP = true
        return message
    }

    private static func withoutFragment(_ uri: String) -> String { String(uri.prefix { $0 != "#" }) }

    private static func translated(_ error: HTTPClientError) -> DownloadError {
        switch error.code {
        case .connect, .timeout, .other: DownloadError(error.message, mayRetry: true)
        case .tooLarge: DownloadError("it is larger than what this worker allows a run to download")
        case .refused: DownloadError(error.message)
        case .addressRefused:
            DownloadError("\(error.message) (--egress and --egress-allow say what is)")
        }
    }
}

/// What a server says of a file's version, as one text.
private struct Version {
    let header: String
    let isTag: Bool

    var text: String { (isTag ? "tag " : "date ") + header }

    /// Strong tags only: of a weak one, two files may differ in their bytes.
    init?(_ headers: HTTPHeaders) {
        if let tag = headers["ETag"], tag.hasPrefix("\""), tag.utf8.count <= 1024 {
            (header, isTag) = (tag, true)
        } else if let date = headers["Last-Modified"], !date.isEmpty, date.utf8.count <= 64 {
            (header, isTag) = (date, false)
        } else {
            return nil
        }
    }

    init?(_ text: String) {
        if text.hasPrefix("tag ") {
            (header, isTag) = (String(text.dropFirst(4)), true)
        } else if text.hasPrefix("date ") {
            (header, isTag) = (String(text.dropFirst(5)), false)
        } else {
            return nil
        }
    }
}
