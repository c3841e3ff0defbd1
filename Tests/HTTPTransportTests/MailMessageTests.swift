import Foundation
import Testing

@testable import HTTPTransport

@Suite("Mails as bytes")
struct MailMessageTests {
    private static func text(subject: String = "s", text: String = "t") -> String {
        let message = MailMessage(
            from: "a@b", to: ["c@d", "e@f"], subject: subject, text: text, messageID: "m1@b", date: "D")
        return String(decoding: message.bytes, as: UTF8.self)
    }

    @Test("lists of addresses are split and checked")
    func addresses() {
        #expect(MailMessage.addresses(" a@b , c@d,,") == ["a@b", "c@d"])
        #expect(MailMessage.addresses("") == [])
        for bad in ["a b@c", "a@b\r\nBcc: x@y", "<a@b>", "a@b;c", String(repeating: "a", count: 255)] {
            #expect(MailMessage.addresses(bad) == nil, "\(bad)")
        }
        #expect(MailMessage.addresses(Array(repeating: "a@b", count: 65).joined(separator: ",")) == nil)
    }

    @Test("no subject can begin a header of its own, and none is cut")
    func subjects() {
        #expect(MailMessage.encoded("plain") == "plain")
        let hostile = MailMessage.encoded("x\r\nBcc: y@z")
        #expect(!hostile.contains("Bcc") && hostile.hasPrefix("=?utf-8?B?"))
        let long = String(repeating: "ü€😀", count: 60)
        let lines = MailMessage.encoded(long).components(separatedBy: "\r\n ")
        #expect(lines.count > 1 && lines.allSatisfy { $0.utf8.count <= 75 })
    }

    @Test("the body is encoded in lines of 76")
    func body() {
        let text = Self.text(text: String(repeating: "line\n.\n", count: 100))
        let body = text.components(separatedBy: "\r\n\r\n")[1].components(separatedBy: "\r\n")
        #expect(body.dropLast().allSatisfy { $0.utf8.count <= 76 } && body.count > 10)
        #expect(text.contains("To: <c@d>,\r\n <e@f>\r\n") && text.contains("Message-ID: <m1@b>\r\n"))
    }
}
