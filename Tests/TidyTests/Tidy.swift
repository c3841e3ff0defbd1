// What the compiler does not check and the project wants nevertheless: which layer may import which, and a few rules of
// style that a machine can decide. Each rule is a function from a path and a text to findings, so that a planted
// offence shows that it bites (RuleTests); TidyTests applies all of them to the repository.
//
// A rule that is in the way is discussed and changed here. It is not silenced in a file: there is no such mechanism.

import Glibc

/// One thing that is not as it should be.
struct Finding: Hashable, CustomStringConvertible {
    var path: String
    /// Counted from 1; 0 where the finding is about the whole file.
    var line: Int
    var message: String

    var description: String { line == 0 ? "\(path): \(message)" : "\(path):\(line): \(message)" }
}

/// A file of the repository: what the rules look at.
struct SourceText {
    /// Relative to the root of the repository, with `/`.
    let path: String
    let text: [UInt8]
    /// The text with comments and the contents of string literals blanked out. Empty for what is not Swift.
    let code: [UInt8]

    init(path: String, _ text: String) {
        self.path = path
        self.text = Array(text.utf8)
        code = path.hasSuffix(".swift") ? SwiftCode.blanked(self.text) : []
    }

    var isSwift: Bool { path.hasSuffix(".swift") }
    var isSource: Bool { isSwift && path.hasPrefix("Sources/") }

    /// The target that a file in Sources or Tests belongs to; nil for other files.
    var target: String? {
        let parts = path.split(separator: "/")
        guard parts.count >= 3, parts[0] == "Sources" || parts[0] == "Tests" else { return nil }
        return String(parts[1])
    }

    var lines: [String] { Self.lines(of: text) }
    var codeLines: [String] { Self.lines(of: code) }

    private static func lines(of bytes: [UInt8]) -> [String] {
        var lines = bytes.split(separator: newline, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { String(decoding: $0, as: UTF8.self) }
    }

    /// A finding for each place in the code where one of the words stands for itself.
    func find(_ words: [String], _ message: (String) -> String) -> [Finding] {
        find(words, in: code, message)
    }

    /// The same, in comments and strings too.
    func findAnywhere(_ words: [String], _ message: (String) -> String) -> [Finding] {
        find(words, in: text, message)
    }

    private func find(_ words: [String], in bytes: [UInt8], _ message: (String) -> String) -> [Finding] {
        words.flatMap { word in
            Set(occurrences(of: word, in: bytes).filter { isWhole(word, at: $0, in: bytes) }.map(line(of:))).sorted()
                .map { Finding(path: path, line: $0, message: message(word)) }
        }
    }

    /// Where the bytes contain the word. The search is C's: a debug build's own is slow.
    func occurrences(of word: String, in bytes: [UInt8]) -> [Int] {
        var found: [Int] = []
        let wanted = Array(word.utf8)
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            let last = buffer.count - wanted.count
            var start = 0
            while start <= last, let hit = memchr(base + start, Int32(wanted[0]), last - start + 1) {
                if memcmp(hit, wanted, wanted.count) == 0 { found.append(UnsafeRawPointer(hit) - base) }
                start = UnsafeRawPointer(hit) - base + 1
            }
        }
        return found
    }

    /// Not a part of a longer identifier.
    private func isWhole(_ word: String, at start: Int, in bytes: [UInt8]) -> Bool {
        let utf8 = Array(word.utf8)
        let end = start + utf8.count
        if start > 0, isIdentifierByte(utf8[0]), isIdentifierByte(bytes[start - 1]) { return false }
        return !(end < bytes.count && isIdentifierByte(utf8[utf8.count - 1]) && isIdentifierByte(bytes[end]))
    }

    /// Counted from 1. Text and code have the same lines.
    func line(of offset: Int) -> Int {
        1 + text[..<offset].count { $0 == newline }
    }
}

let newline = UInt8(ascii: "\n")

func isIdentifierByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
    default: byte >= 0x80
    }
}
