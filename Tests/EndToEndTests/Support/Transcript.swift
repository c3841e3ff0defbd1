import Foundation
import JSON

/// A conversation with the Cronicle dialect, as a file: what is sent, and what must come back.
///
/// An answer may have more than is expected, but lists are as long as they are. In what is sent and expected, `$name`
/// stands for what a step has saved; expected texts of a form of their own are `$save:name`, `$any`, `$string`,
/// `$number`, `$truthy`, `$falsy` and `$absent`.
struct Transcript {
    struct Step {
        var name: String
        var call: String
        var query: String?
        var send: JSONValue?
        /// `admin`, `nobody`, `session:…` or an API key.
        var sender: String
        /// Repeated until it is as expected.
        var isAwaited: Bool
        var expected: JSONValue?
        /// Of a log.
        var lines: [String]?
    }

    let steps: [Step]

    init(_ file: URL) throws {
        let value = try JSONValue(parsing: Array(Data(contentsOf: file)))
        steps = (value["steps"]?.arrayValue ?? []).map { step in
            let call = step["call"]?.stringValue ?? ""
            return Step(
                name: step["name"]?.stringValue ?? call, call: call, query: step["query"]?.stringValue,
                send: step["send"], sender: step["as"]?.stringValue ?? "admin",
                isAwaited: step["until"] != nil || step["lines"] != nil, expected: step["expect"],
                lines: step["lines"]?.arrayValue?.compactMap(\.stringValue))
        }
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/cronicle")

    static var all: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".json") }.sorted()
    }
}

/// One run of a transcript.
struct TranscriptRun {
    let base: String
    let key: String
    private var known: [String: String]

    /// - Parameter key: an administrator's.
    init(base: String, key: String, title: String, id: String) {
        self.base = base
        self.key = key
        known = ["caller": title, "callerid": id]
    }

    /// - Returns: what differs; nil: nothing.
    mutating func perform(_ step: Transcript.Step, patience: Double) throws -> String? {
        let end = Date().addingTimeInterval(step.isAwaited ? patience : 0)
        while true {
            let answer = try send(step)
            var difference: String?
            if let lines = step.lines {
                let log = Set(answer.text.split(separator: "\n").map(String.init))
                let missing = lines.map(substituted).filter { !log.contains($0) }
                difference = missing.isEmpty ? nil : "without the lines \(missing)"
            } else {
                difference = compare(step.expected ?? [:], answer.json, "")
            }
            guard let difference else { return nil }
            if Date() >= end { return "\(difference) in \(answer.text.prefix(2_000))" }
            usleep(30_000)
        }
    }

    private func send(_ step: Transcript.Step) throws -> TestHTTP.Answer {
        let path = step.call.contains("/") ? step.call : "app/" + step.call
        let query = step.query.map { "?" + substituted($0) } ?? ""
        var headers: [String: String] = [:]
        let sender = substituted(step.sender)
        if sender == "admin" {
            headers["X-API-Key"] = key
        } else if sender.hasPrefix("session:") {
            headers["X-Session-ID"] = String(sender.dropFirst(8))
        } else if sender != "nobody" {
            headers["X-API-Key"] = sender
        }
        if step.send != nil { headers["Content-Type"] = "application/json" }
        // Logs come compressed, whatever is accepted.
        return try TestHTTP.request(
            step.send == nil ? "GET" : "POST", "\(base)/api/\(path)/v1\(query)", headers: headers,
            body: step.send.map { substituted($0).text }
        ).unzipped()
    }

    private func substituted(_ text: String) -> String {
        guard text.contains("$") else { return text }
        var text = text
        for (name, value) in known.sorted(by: { $0.key.count > $1.key.count }) {
            text = text.replacingOccurrences(of: "$" + name, with: value)
        }
        return text
    }

    private func substituted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): .string(substituted(text))
        case .array(let elements): .array(elements.map(substituted))
        case .object(let object): .object(JSONObject(object.map { ($0.key, substituted($0.value)) }))
        default: value
        }
    }

    private mutating func compare(_ expected: JSONValue, _ actual: JSONValue?, _ path: String) -> String? {
        switch expected {
        case .string(let text): return compare(text, actual, path)
        case .object(let members):
            guard let object = actual?.objectValue else { return "\(path): no object but \(Self.shown(actual))" }
            for (key, value) in members {
                let key = substituted(key)
                if let difference = compare(value, object[key], "\(path)/\(key)") { return difference }
            }
            return nil
        case .array(let elements):
            guard let list = actual?.arrayValue, list.count == elements.count else {
                return "\(path): not \(elements.count) elements but \(Self.shown(actual))"
            }
            for (index, element) in elements.enumerated() {
                if let difference = compare(element, list[index], "\(path)/\(index)") { return difference }
            }
            return nil
        default:
            if let number = expected.doubleValue, actual?.doubleValue == number { return nil }
            return expected == actual ? nil : "\(path): not \(expected.text) but \(Self.shown(actual))"
        }
    }

    private mutating func compare(_ text: String, _ actual: JSONValue?, _ path: String) -> String? {
        let isTruthy =
            switch actual {
            case nil, .null?, .bool(false)?: false
            case let value?: value.doubleValue != 0
            }
        let isRight: Bool
        switch text {
        case "$absent": isRight = actual == nil
        case "$any": isRight = actual != nil
        case "$string": isRight = actual?.stringValue != nil
        case "$number": isRight = actual?.doubleValue != nil
        case "$truthy": isRight = isTruthy
        case "$falsy": isRight = !isTruthy
        case let form where form.hasPrefix("$save:"):
            guard let found = actual?.stringValue else { return "\(path): no text but \(Self.shown(actual))" }
            known[String(form.dropFirst(6))] = found
            return nil
        default: isRight = actual == .string(substituted(text))
        }
        return isRight ? nil : "\(path): not \(substituted(text)) but \(Self.shown(actual))"
    }

    private static func shown(_ value: JSONValue?) -> String { value?.text ?? "nothing" }
}

extension TestHTTP.Answer {
    /// With its body as it was before it was compressed.
    fileprivate func unzipped() throws -> Self {
        guard header("content-encoding") == "gzip" else { return self }
        var plain = self
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".gz")
        defer { try? FileManager.default.removeItem(at: file) }  // it is gone, or the system tidies
        try Data(body).write(to: file)
        plain.body = Array(try Executable.run("/usr/bin/env", ["gzip", "-dc", file.path]).output.utf8)
        return plain
    }
}
