import Testing

@testable import Crypto

@Suite("Password hashes")
struct PasswordHashTests {
    @Test("a password is known by its hash, and nothing else is")
    func roundTrip() throws {
        let hash = try #require(PasswordHash.make("correct horse"))
        #expect(hash.hasPrefix("$y$"))
        #expect(PasswordHash.verify("correct horse", against: hash))
        for wrong in ["correct hors", "correct horse ", "", "Correct horse", "correct horse\0"] {
            #expect(!PasswordHash.verify(wrong, against: hash))
        }
        #expect(PasswordHash.make("correct horse") != hash)
    }

    @Test("bcrypt hashes of other programs are understood")
    func bcrypt() {
        let hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
        #expect(PasswordHash.verify("U*U", against: hash))
        #expect(!PasswordHash.verify("U*V", against: hash))
    }

    @Test("what cannot be a password or a hash is refused, not a crash")
    func impossible() {
        #expect(PasswordHash.make("") == nil)
        #expect(PasswordHash.make(String(repeating: "x", count: 501)) == nil)
        #expect(PasswordHash.make("a\0b") == nil)
        for hash in ["", "*0", "$y$", "$9$x", "plain"] { #expect(!PasswordHash.verify("x", against: hash)) }
        #expect(!PasswordHash.verify("x", against: PasswordHash.ofNobody))
    }
}
