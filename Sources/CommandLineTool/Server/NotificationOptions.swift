import HTTPTransport
import Node

/// How people and programs outside are told of runs.
enum NotificationOptions {
    private static let mailServer = Option<String?>.optionalText(
        "mail-server", "HOST:PORT", "server that takes the mails (default: no mail is sent)")
    private static let mailFrom = Option<String?>.optionalText("mail-from", "ADDRESS", "sender of the mails")
    private static let mailSecurity = Option<String>.choice(
        "mail-security", ["none", "starttls", "tls"], "how the connection to the mail server is encrypted",
        default: "starttls")
    private static let mailUser = Option<String?>.optionalText("mail-user", "NAME", "login at the mail server")
    private static let mailPasswordFile = Option<String?>.optionalText(
        "mail-password-file", "FILE", "file with the password of that login")
    private static let mailAuthority = Option<String?>.optionalText(
        "mail-ca-file", "FILE", "certificates that the mail server's is checked with (default: the system's)")
    private static let slack = Option<String?>.optionalText(
        "slack-url", "URL", "Slack's incoming web hook for job failures")
    private static let mattermost = Option<String?>.optionalText(
        "mattermost-url", "URL", "Mattermost's incoming web hook for job failures")
    private static let http = Option<String?>.optionalText(
        "notification-url", "URL", "URL that job failures are posted to as JSON")
    private static let credentialsFile = Option<String?>.optionalText(
        "notification-credentials-file", "FILE", "file with user:password for --notification-url")
    private static let universalHook = Option<String?>.optionalText(
        "universal-web-hook", "URL", "URL that is told of each start and end of every job")
    private static let clusterName = Option<String?>.optionalText(
        "cluster-name", "NAME", "stands in front of the subjects of messages")
    private static let baseURL = Option<String?>.optionalText(
        "base-url", "URL", "what links in messages begin with, such as the load balancer's address")

    private static let egress = Option<String>.choice(
        "egress", ["any", "public"], "where web hooks of jobs may lead: 'public' refuses private networks",
        default: "any")
    private static let egressAllow = Option<[String]>.list(
        "egress-allow", "ADDRESS[/BITS]", "addresses that web hooks may lead to in any case")

    static let declarations = [
        mailServer.declaration, mailFrom.declaration, mailSecurity.declaration, mailUser.declaration,
        mailPasswordFile.declaration, mailAuthority.declaration, slack.declaration, mattermost.declaration,
        http.declaration, credentialsFile.declaration, universalHook.declaration, clusterName.declaration,
        baseURL.declaration, egress.declaration, egressAllow.declaration,
    ]

    static func configuration(_ arguments: Arguments) throws -> NotificationConfiguration {
        var configuration = NotificationConfiguration()
        configuration.mailServer = try server(arguments)
        if configuration.mailServer != nil {
            guard let from = try arguments.get(mailFrom), MailMessage.isAddress(from) else {
                throw UsageError("--mail-from: a mail server needs the address that mails come from")
            }
            configuration.mailFrom = from
        }
        configuration.slackURL = try url(slack, arguments)
        configuration.mattermostURL = try url(mattermost, arguments)
        configuration.httpURL = try url(http, arguments)
        configuration.httpCredentials = try secret(credentialsFile, arguments)
        configuration.universalWebHook = try url(universalHook, arguments)
        configuration.clusterName = try arguments.get(clusterName) ?? ""
        var base = try url(baseURL, arguments)
        while base.hasSuffix("/") { base.removeLast() }
        configuration.baseURL = base
        configuration.egress = try egressPolicy(arguments)
        return configuration
    }

    private static func egressPolicy(_ arguments: Arguments) throws -> EgressPolicy {
        var allowed: [AddressRange] = []
        for text in try arguments.get(egressAllow) {
            guard let range = AddressRange(text) else {
                throw UsageError("--egress-allow: '\(text)' is no address: write 10.1.2.3 or 10.0.0.0/8")
            }
            allowed.append(range)
        }
        return EgressPolicy(reach: try arguments.get(egress) == "public" ? .public : .any, allowed: allowed)
    }

    private static func server(_ arguments: Arguments) throws -> SMTPClient.Server? {
        guard let text = try arguments.get(mailServer) else { return nil }
        let (host, port) = try ServerOptions.address(text, option: "mail-server")
        guard let security = SMTPClient.Security(rawValue: try arguments.get(mailSecurity)) else { return nil }
        return SMTPClient.Server(
            host: host, port: port, security: security, user: try arguments.get(mailUser) ?? "",
            password: try secret(mailPasswordFile, arguments),
            certificateAuthority: try arguments.get(mailAuthority) ?? "")
    }

    private static func url(_ option: Option<String?>, _ arguments: Arguments) throws -> String {
        guard let text = try arguments.get(option), !text.isEmpty else { return "" }
        guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
            throw UsageError("--\(option.declaration.name): '\(text)' is no URL: write http://… or https://…")
        }
        return text
    }

    private static func secret(_ option: Option<String?>, _ arguments: Arguments) throws -> String {
        guard let path = try arguments.get(option) else { return "" }
        do {
            let text = try ConfigurationFile.read(path)
            return String(text.prefix { $0 != "\n" && $0 != "\r" && $0 != "\r\n" })
        } catch {
            throw UsageError("--\(option.declaration.name): cannot read '\(path)': \(error)")
        }
    }
}
