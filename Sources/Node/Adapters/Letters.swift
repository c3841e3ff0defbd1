import Crypto
import Domain
import HTTPTransport
import Runtime

/// Letters to one person, sent at once by the node that was asked; a failure is logged and not repeated.
struct Letters: Sendable {
    private let server: SMTPClient?
    private let sender: String
    private let clock: any WallClock
    private let log: Log

    init(_ configuration: NotificationConfiguration, clock: any WallClock, log: Log) {
        server = configuration.mailServer.map { SMTPClient($0) }
        sender = configuration.mailFrom
        self.clock = clock
        self.log = log
    }

    @Sendable func send(to address: String, subject: String, text: String) async {
        guard let server else {
            log.warning("no mail was sent to \(address) ('\(subject)'): no mail server is configured")
            return
        }
        // One address: a user's own.
        guard let addresses = MailMessage.addresses(address), addresses.count == 1 else {
            log.warning("no mail was sent to '\(address)': it is not one mail address")
            return
        }
        do {
            let host = sender.split(separator: "@").last.map(String.init) ?? "carillon"
            try await server.send(
                MailMessage(
                    from: sender, to: addresses, subject: subject, text: text,
                    messageID: "\(Hex.encode(try RandomBytes.make(16)))@\(host)", date: Notifier.mailDate(clock.now())))
        } catch {
            log.error("a mail to \(address) ('\(subject)') was not sent: \(error)")
        }
    }
}
