import CCurl
import HTTP

/// One request on its way through libcurl: what its callbacks fill, and who waits for it.
///
/// Unchecked: made by the calling task, which hands it to the loop and never touches it again; from then on it belongs
/// to the loop's thread.
final class CurlTransfer: @unchecked Sendable {
    typealias Continuation = CheckedContinuation<HTTPClientResponse, any Error>

    /// The most bytes of header lines, the whole chain of redirects included.
    static let maximumHeaderBytes = 256 * 1024
    static let maximumRedirects = 3

    enum State {
        /// Not given to libcurl yet.
        case new
        /// libcurl has it.
        case running
        /// Its caller has been answered, or was cancelled before it began.
        case ended
    }

    /// Why a callback stopped the transfer; libcurl itself only knows that it was stopped.
    enum Stop {
        case bodyTooLarge
        case headersTooLarge
        case addressRefused(String)
    }

    let request: HTTPClientRequest
    var continuation: Continuation?
    var state = State.new
    var handle: UnsafeMutableRawPointer?
    var headerList: UnsafeMutablePointer<curl_slist>?
    var stop: Stop?
    /// Nil where the whole body is wanted at once.
    let feed: CurlFeed?
    private var status = 0
    private(set) var headers = HTTPHeaders()
    private(set) var body: [UInt8] = []
    private var headerBytes = 0
    private var receivedBytes = 0
    /// libcurl writes the text of an error here.
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    init(_ request: HTTPClientRequest, isStreamed: Bool = false) {
        self.request = request
        feed = isStreamed ? CurlFeed() : nil
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        errorText.deallocate()
    }

    // MARK: Set-up

    /// Sets every option on a fresh or reset handle.
    func configure(_ handle: UnsafeMutableRawPointer) throws(HTTPClientError) {
        self.handle = handle
        let setting = CurlSetting(handle: handle)
        let context = Unmanaged.passUnretained(self).toOpaque()
        try checkTarget()
        setting.set(CURLOPT_NOSIGNAL, 1)
        setting.set(CURLOPT_PROTOCOLS_STR, request.allowsFTP ? "http,https,ftp" : "http,https")
        setting.set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        setting.set(CURLOPT_PROXY, "")
        setting.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        setting.set(CURLOPT_URL, request.url)
        // The path is part of what a caller may have signed: no "/../" is resolved on the way.
        setting.set(CURLOPT_PATH_AS_IS, 1)
        if let path = request.unixSocket { setting.set(CURLOPT_UNIX_SOCKET_PATH, path) }
        setting.set(CURLOPT_TIMEOUT_MS, Self.milliseconds(request.timeout))
        setting.set(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(request.connectTimeout))
        if request.followRedirects {
            setting.set(CURLOPT_FOLLOWLOCATION, 1)
            setting.set(CURLOPT_MAXREDIRS, Self.maximumRedirects)
        }
        if let idle = request.idleTimeout {
            setting.set(CURLOPT_LOW_SPEED_LIMIT, 1)
            setting.set(CURLOPT_LOW_SPEED_TIME, max(1, Self.milliseconds(idle) / 1000))
        }
        if isFTP {
            setting.set(CURLOPT_FILETIME, 1)
            if request.resumesAt > 0 { setting.setOffset(CURLOPT_RESUME_FROM_LARGE, request.resumesAt) }
        }
        if !request.verifiesCertificate {
            setting.set(CURLOPT_SSL_VERIFYPEER, 0)
            setting.set(CURLOPT_SSL_VERIFYHOST, 0)
        }
        if let tls = request.tls { configure(tls, setting) }
        setting.set(CURLOPT_ERRORBUFFER, errorText)
        setting.set(CURLOPT_HEADERDATA, context)
        setting.set(CURLOPT_HEADERFUNCTION, curlHeaderLine)
        setting.set(CURLOPT_WRITEDATA, context)
        setting.set(CURLOPT_WRITEFUNCTION, curlBodyBytes)
        // Refuses a long answer by its announced length; not for HEAD, whose length is that of a body that never comes.
        if request.method != .head {
            setting.setOffset(CURLOPT_MAXFILESIZE_LARGE, max(request.maximumResponseBytes, 1))
        }
        if request.permitsAddress != nil {
            setting.set(CURLOPT_OPENSOCKETDATA, context)
            carillon_curl_set_opensocket_callback(handle, curlOpenSocket)
            setting.set(CURLOPT_FRESH_CONNECT, 1)
            setting.set(CURLOPT_FORBID_REUSE, 1)
        }
        configureMethod(setting)
        try configureHeaders(setting)
    }

    private func configure(_ tls: HTTPClientTLS, _ setting: CurlSetting) {
        setting.set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        if !tls.authorities.isEmpty {
            setting.set(CURLOPT_CAINFO_BLOB, tls.authorities)
            // Else the folder of the system's authorities would be trusted too.
            setting.clear(CURLOPT_CAPATH)
        }
        if !tls.certificate.isEmpty {
            setting.set(CURLOPT_SSLCERTTYPE, "PEM")
            setting.set(CURLOPT_SSLCERT_BLOB, tls.certificate)
            setting.set(CURLOPT_SSLKEYTYPE, "PEM")
            setting.set(CURLOPT_SSLKEY_BLOB, tls.key)
        }
    }

    private func checkTarget() throws(HTTPClientError) {
        let scheme = request.url.prefix(8).lowercased()
        guard scheme.hasPrefix("http://") || scheme == "https://" || isFTP else {
            throw refusal("the URL must begin with http:// or https://\(request.allowsFTP ? " or ftp://" : "")")
        }
        guard request.url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
            throw refusal("the URL must be percent-encoded: no spaces, no control characters")
        }
        let method = request.method.rawValue
        guard !method.isEmpty, method.utf8.allSatisfy(Self.isTokenByte) else {
            throw refusal("the method must be a word such as GET")
        }
        if request.unixSocket?.utf8.contains(0) == true { throw refusal("the socket path must not contain NUL") }
    }

    private var isFTP: Bool { request.allowsFTP && request.url.prefix(6).lowercased() == "ftp://" }

    private func configureMethod(_ setting: CurlSetting) {
        let method = request.method
        if method == .head {
            setting.set(CURLOPT_NOBODY, 1)
            return
        }
        // Its only method here is to read a file.
        if isFTP { return }
        if !request.body.isEmpty || method == .post || method == .put || method == .patch {
            setting.set(CURLOPT_POST, 1)
            // The size first: it tells libcurl how many bytes to copy.
            setting.setOffset(CURLOPT_POSTFIELDSIZE_LARGE, request.body.count)
            request.body.withUnsafeBytes { bytes in
                var none: UInt8 = 0
                withUnsafeMutablePointer(to: &none) { empty in
                    let address = bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0) }
                    setting.set(CURLOPT_COPYPOSTFIELDS, address ?? UnsafeMutableRawPointer(empty))
                }
            }
        } else {
            setting.set(CURLOPT_HTTPGET, 1)
        }
        // A custom method sticks through redirects, where POST has to become GET.
        let isPlain = method == .post || (method == .get && request.body.isEmpty)
        if !isPlain { setting.set(CURLOPT_CUSTOMREQUEST, method.rawValue) }
    }

    private func configureHeaders(_ setting: CurlSetting) throws(HTTPClientError) {
        var lines: [String] = []
        for (name, value) in request.headers {
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isTokenByte) else {
                throw refusal("a header's name has characters that are not allowed in one")
            }
            guard value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }) else {
                throw refusal("the header \(name) contains a line break or another control character")
            }
            // libcurl drops a header that ends with the colon; the semicolon is its way to send an empty one.
            lines.append(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        // Neither the guessed content type of a form nor the pause of Expect: 100-continue.
        if request.headers["Content-Type"] == nil { lines.append("Content-Type:") }
        if request.headers["Expect"] == nil { lines.append("Expect:") }
        for line in lines {
            guard let longer = curl_slist_append(headerList, line) else {
                throw refusal("no memory for the request's headers")
            }
            headerList = longer
        }
        carillon_curl_set_list(setting.handle, CURLOPT_HTTPHEADER, headerList)
    }

    // MARK: Callbacks

    /// A header line, the status line or the empty last line. A new status line (100, or after a redirect) starts over.
    func receiveHeader(_ line: UnsafeRawBufferPointer) -> Bool {
        headerBytes += line.count
        guard headerBytes <= Self.maximumHeaderBytes else {
            stop = .headersTooLarge
            return false
        }
        // What a server of FTP says is no header.
        if isFTP { return true }
        if line.starts(with: "HTTP/".utf8) {
            headers = HTTPHeaders()
            body = []
            receivedBytes = 0
            status = Int(String(decoding: line.drop { $0 != 0x20 }.dropFirst().prefix(3), as: UTF8.self)) ?? 0
            return true
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return true }
        let name = String(decoding: line[..<colon], as: UTF8.self)
        let value = line[(colon + 1)...].trimmingBlanks
        headers.add(name, String(decoding: value, as: UTF8.self))
        return true
    }

    enum Reception {
        case taken
        case refused
        case paused
    }

    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Reception {
        if let feed, feed.isFull {
            feed.isPaused = true
            return .paused
        }
        guard bytes.count <= request.maximumResponseBytes - receivedBytes else {
            stop = .bodyTooLarge
            return .refused
        }
        receivedBytes += bytes.count
        if let feed {
            feed.take(bytes, head: HTTPClientHead(status: status, headers: headers))
        } else {
            body.append(contentsOf: bytes)
        }
        return .taken
    }

    // MARK: Outcome

    /// The answer or the error for libcurl's result code.
    func outcome(_ result: CURLcode) -> Result<HTTPClientResponse, any Error> {
        if result == CURLE_OK {
            var status = 0
            carillon_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
            var modified = -1
            if isFTP { carillon_curl_get_long(handle, CURLINFO_FILETIME, &modified) }
            let head = HTTPClientHead(
                status: status, headers: headers, fileTimeSeconds: modified < 0 ? nil : Int64(modified))
            return .success(HTTPClientResponse(head: head, body: body))
        }
        return .failure(error(result))
    }

    private func error(_ result: CURLcode) -> HTTPClientError {
        if let stop {
            switch stop {
            case .bodyTooLarge: return tooLarge()
            case .headersTooLarge:
                return failure(.tooLarge, "the answer's headers are longer than \(Self.maximumHeaderBytes) bytes")
            case .addressRefused(let address):
                return failure(.addressRefused, "requests to the address \(address) are not permitted")
            }
        }
        let written = String(cString: errorText)
        let text = written.isEmpty ? String(cString: curl_easy_strerror(result)) : written
        switch result {
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_SSL_CONNECT_ERROR,
            CURLE_PEER_FAILED_VERIFICATION:
            return failure(.connect, text)
        case CURLE_OPERATION_TIMEDOUT:
            return failure(.timeout, text)
        case CURLE_FILESIZE_EXCEEDED:
            return tooLarge()
        case CURLE_REMOTE_FILE_NOT_FOUND, CURLE_LOGIN_DENIED, CURLE_REMOTE_ACCESS_DENIED,
            CURLE_TOO_MANY_REDIRECTS, CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT:
            return failure(.refused, text)
        default:
            return failure(.other, text)
        }
    }

    private func tooLarge() -> HTTPClientError {
        failure(.tooLarge, "the answer is longer than \(request.maximumResponseBytes) bytes")
    }

    func failure(_ code: HTTPClientError.Code, _ text: String) -> HTTPClientError {
        HTTPClientError(code: code, message: "\(request.method.rawValue) \(printableTarget): \(text)")
    }

    private func refusal(_ text: String) -> HTTPClientError {
        failure(.other, text)
    }

    /// The URL without user, query and fragment, which may hold secrets.
    private var printableTarget: String {
        let bare = request.url.prefix { $0 != "?" && $0 != "#" }
        guard let scheme = bare.firstRange(of: "://") else { return String(bare.prefix(200)) }
        let authority = bare[scheme.upperBound...].prefix { $0 != "/" }
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority
        return "\(bare[..<scheme.upperBound])\(host)\(bare[authority.endIndex...])".prefix(200).description
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        let whole = duration.components.seconds
        // libcurl takes 0 for "no limit" and counts in a signed 32-bit range in places.
        guard whole < Int64(Int32.max / 1000) else { return Int(Int32.max) }
        return max(1, Int(whole) * 1000 + Int(duration.components.attoseconds / 1_000_000_000_000_000))
    }

    /// RFC 9110 §5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
