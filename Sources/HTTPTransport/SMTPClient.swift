import CCurl
import Runtime

/// Sends mails through one server, by libcurl. Mails are rare and servers slow: each is sent on a thread of a small
/// pool of its own, so that neither the loop nor anybody else's blocking work waits for it.
public final class SMTPClient: Sendable {
    public enum Security: String, Sendable, CaseIterable {
        /// Nothing is encrypted: for a relay on this machine.
        case none
        /// STARTTLS, and no mail where the server does not offer it.
        case starttls
        /// TLS from the first byte.
        case tls
    }

    public struct Server: Sendable {
        public var host: String
        public var port: Int
        public var security: Security
        /// Empty: no login.
        public var user: String
        public var password: String
        /// File with the certificates of authorities to trust besides none else; empty: the system's.
        public var certificateAuthority: String

        public init(
            host: String, port: Int, security: Security, user: String = "", password: String = "",
            certificateAuthority: String = ""
        ) {
            self.host = host
            self.port = port
            self.security = security
            self.user = user
            self.password = password
            self.certificateAuthority = certificateAuthority
        }
    }

    static let timeout = 30
    static let connectTimeout = 10
    static let threads = 2
    static let waiting = 64

    private let server: Server
    private let pool = BlockingPool(threads: SMTPClient.threads, queueLimit: SMTPClient.waiting)

    public init(_ server: Server) {
        self.server = server
    }

    /// Returns when the server has taken the mail for all recipients.
    /// - Throws: `HTTPClientError` with the server's or libcurl's reason; `CancellationError`.
    public func send(_ message: MailMessage) async throws {
        try await pool.run(mayBeAbandoned: true) { [server] in try Self.deliver(message, to: server) }
    }

    private static func deliver(_ message: MailMessage, to server: Server) throws {
        guard let handle = curl_easy_init() else { throw failure(server, "no memory for libcurl") }
        defer { curl_easy_cleanup(handle) }
        let setting = CurlSetting(handle: handle)
        let scheme = server.security == .tls ? "smtps" : "smtp"
        let host = server.host.contains(":") ? "[\(server.host)]" : server.host
        setting.set(CURLOPT_URL, "\(scheme)://\(host):\(server.port)")
        setting.set(CURLOPT_NOSIGNAL, 1)
        setting.set(CURLOPT_PROXY, "")
        setting.set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        setting.set(CURLOPT_TIMEOUT, timeout)
        setting.set(CURLOPT_CONNECTTIMEOUT, connectTimeout)
        if server.security == .starttls { setting.set(CURLOPT_USE_SSL, Int(CURLUSESSL_ALL.rawValue)) }
        if !server.certificateAuthority.isEmpty { setting.set(CURLOPT_CAINFO, server.certificateAuthority) }
        if !server.user.isEmpty {
            setting.set(CURLOPT_USERNAME, server.user)
            setting.set(CURLOPT_PASSWORD, server.password)
        }
        setting.set(CURLOPT_MAIL_FROM, "<\(message.from)>")
        var recipients: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(recipients) }
        for address in message.to {
            guard let longer = curl_slist_append(recipients, "<\(address)>") else {
                throw failure(server, "no memory for the recipients")
            }
            recipients = longer
        }
        carillon_curl_set_list(handle, CURLOPT_MAIL_RCPT, recipients)
        let source = MailSource(message.bytes)
        let context = Unmanaged.passUnretained(source).toOpaque()
        setting.set(CURLOPT_UPLOAD, 1)
        setting.set(CURLOPT_READDATA, context)
        setting.set(CURLOPT_READFUNCTION, mailBytes)
        let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        defer { errorText.deallocate() }
        setting.set(CURLOPT_ERRORBUFFER, errorText)
        let result = withExtendedLifetime(source) { curl_easy_perform(handle) }
        guard result != CURLE_OK else { return }
        let written = String(cString: errorText)
        var status = 0
        carillon_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        let text = written.isEmpty ? String(cString: curl_easy_strerror(result)) : written
        throw failure(server, status > 0 ? "\(text) (the server's last answer was \(status))" : text)
    }

    private static func failure(_ server: Server, _ text: String) -> HTTPClientError {
        HTTPClientError(code: .other, message: "mail server \(server.host):\(server.port): \(text)")
    }
}

/// The bytes of one mail, as libcurl asks for them; used by one thread.
private final class MailSource {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let part = rest.prefix(buffer.count)
        buffer.copyBytes(from: part)
        rest = rest.dropFirst(part.count)
        return part.count
    }
}

private let mailBytes: carillon_curl_data_callback = { bytes, size, count, context in
    guard let context, let bytes else { return 0 }
    let source = Unmanaged<MailSource>.fromOpaque(context).takeUnretainedValue()
    return source.read(into: UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
}
