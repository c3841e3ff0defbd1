import HTTP

/// A mail of plain text, as RFC 5322 and MIME want it on the wire.
public struct MailMessage: Sendable, Equatable {
    /// Bare addresses.
    public var from: String
    public var to: [String]
    public var subject: String
    public var text: String
    /// Stays the same when the mail is sent again, so that receivers can tell.
    public var messageID: String
    /// RFC 5322, such as `Sat, 21 Nov 2026 22:11:41 +0000`.
    public var date: String

    public static let maximumRecipients = 64
    static let encodedLine = 76
    /// Bytes of a subject in one encoded word (RFC 2047: at most 75 characters).
    static let encodedWord = 42

    public init(from: String, to: [String], subject: String, text: String, messageID: String, date: String) {
        self.from = from
        self.to = to
        self.subject = subject
        self.text = text
        self.messageID = messageID
        self.date = date
    }

    /// Addresses of a list that is separated by commas. Nil where one could not stand in a header or a command.
    public static func addresses(_ list: String) -> [String]? {
        var addresses: [String] = []
        for part in list.split(separator: ",") {
            let address = String(decoding: Array(part.utf8)[...].trimmingBlanks, as: UTF8.self)
            if address.isEmpty { continue }
            guard isAddress(address), addresses.count < maximumRecipients else { return nil }
            addresses.append(address)
        }
        return addresses
    }

    /// What is safe between `<` and `>`; whether somebody lives there is the server's business.
    public static func isAddress(_ text: String) -> Bool {
        let special: [UInt8] = Array("<>()[],;:\\\"".utf8)
        return !text.isEmpty && text.utf8.count <= 254
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !special.contains($0) }
    }

    var bytes: [UInt8] {
        var head = "From: <\(from)>\r\n"
        head += "To: " + to.map { "<\($0)>" }.joined(separator: ",\r\n ") + "\r\n"
        head += "Subject: \(Self.encoded(subject))\r\n"
        head += "Date: \(date)\r\nMessage-ID: <\(messageID)>\r\n"
        head += "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        head += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        var result = Array(head.utf8)
        let body = Array(Base64.encode(Array(text.utf8)).utf8)
        for start in stride(from: 0, to: body.count, by: Self.encodedLine) {
            result += body[start..<min(start + Self.encodedLine, body.count)]
            result += [0x0D, 0x0A]
        }
        return result
    }

    /// As it is where it is short and plain, else in encoded words (RFC 2047 §4.1), split between characters.
    static func encoded(_ subject: String) -> String {
        if subject.utf8.count <= 900, subject.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), !subject.contains("=?") {
            return subject
        }
        var words: [String] = []
        var current: [UInt8] = []
        for character in subject {
            // A line break in a subject would begin a header.
            let bytes = character.isNewline ? [0x20] : Array(String(character).utf8)
            if current.count + bytes.count > encodedWord, !current.isEmpty {
                words.append("=?utf-8?B?\(Base64.encode(current))?=")
                current = []
            }
            current += bytes.prefix(encodedWord)
        }
        if !current.isEmpty { words.append("=?utf-8?B?\(Base64.encode(current))?=") }
        return words.joined(separator: "\r\n ")
    }
}
