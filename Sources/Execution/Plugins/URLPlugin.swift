import Domain
import JSON

/// The URL plugin (cronicle.md §3.7): what it asks, and what it makes of the answer. Values only.
struct URLPlugin: Sendable {
    let request: TaskHTTPRequest
    private let success: TextPattern?
    private let error: TextPattern?
    private let successText: String
    private let errorText: String
    private let hasChain: Bool

    private static let longest: Double = 86_400

    /// - Throws: `LaunchError` for parameters that make no request.
    init(_ parameters: PluginParameters, job: JSONObject) throws(LaunchError) {
        var fields = job
        // For a text of JSON, which a line break or a quote would end.
        let escaped = JSONValue.string(job["chain_description"]?.stringValue ?? "").text
        fields["escape_chain_description"] = .string(String(escaped.dropFirst().dropLast()))
        func filled(_ id: String) -> String { Placeholders.fill(parameters.text(id), from: .object(fields)) }
        // Blanks are no part of what was written, but may be of what is filled in.
        guard !parameters.text("url").trimmed.contains(where: \.isWhitespace) else {
            throw LaunchError("Malformed URL: \(parameters.text("url"))")
        }
        let url = Self.percentEncoded(filled("url").trimmed)
        guard url.lowercased().hasPrefix("http://") || url.lowercased().hasPrefix("https://"), url.utf8.count > 8,
            url.utf8.count <= Limits.uri
        else { throw LaunchError("Malformed URL: \(url.isEmpty ? "(n/a)" : url)") }
        let method = parameters.text("method").uppercased()
        guard ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"].contains(method) else {
            throw LaunchError("the method must be GET, HEAD or POST, not '\(method)'")
        }
        request = TaskHTTPRequest(
            method: method, url: url, headers: try Self.headers(filled("headers")),
            body: method == "GET" || method == "HEAD" ? [] : Array(filled("data").utf8),
            timeout: Self.seconds(parameters.number("timeout"), else: 30),
            idleTimeout: Self.seconds(parameters.number("idle_timeout"), else: 30),
            connectTimeout: Self.seconds(parameters.number("connect_timeout"), else: 10),
            followsRedirects: parameters.flag("follow"), verifiesCertificate: !parameters.flag("ssl_cert_bypass"),
            maximumBytes: PluginLimits.answer)
        successText = parameters.text("success_match")
        errorText = parameters.text("error_match")
        success = try Self.pattern(successText, "success_match")
        error = try Self.pattern(errorText, "error_match")
        hasChain = !(job["chain"]?.stringValue ?? "").isEmpty
    }

    /// What the log says before the request is sent.
    var announcement: String {
        var text = "Sending HTTP \(request.method) to URL:\n\(request.url)\n"
        if !request.headers.isEmpty { text += "\nRequest Headers:\n\(Self.lines(request.headers))" }
        if !request.body.isEmpty || request.method == "POST" {
            text += "\nPOST Data:\n\(String(decoding: request.body, as: UTF8.self).trimmed)\n"
        }
        return text + "\n"
    }

    /// The task's message, and lines for the log.
    func conclude(_ answer: TaskHTTPAnswer, seconds: Double) -> (message: JSONObject, log: String) {
        let text = String(decoding: answer.body, as: UTF8.self)
        var (code, description) = verdict(answer, text)
        if code == nil { description = "Success (HTTP \(answer.status) \(answer.reason))" }
        var message: JSONObject = [
            "complete": 1, "code": code ?? 0, "description": .string(description),
            "table": [
                "title": "HTTP Response Headers", "header": ["Header Name", "Header Value"],
                "rows": .array(
                    answer.headers.sorted { $0.name.lowercased() < $1.name.lowercased() }
                        .map { [.string($0.name), .string($0.value)] }),
            ],
            "perf": Self.perf(seconds),
        ]
        var log = "\(description)\n\nResponse Headers:\n\(Self.lines(answer.headers))"
        let isText = Self.isText(answer)
        if isText, !text.isEmpty {
            log += "\nRaw Response Content:\n\(text.trimmed)\n"
            if text.utf8.count < PluginLimits.answerReport {
                message["html"] = [
                    "title": "Raw Response Content", "content": .string("<pre>\(text.trimmed.escapedForHTML)</pre>"),
                ]
            }
        }
        log += Self.metrics(seconds)
        if hasChain { message["chain_data"] = chainData(answer, isText) }
        return (message, log)
    }

    /// The same where no answer came.
    static func conclude(_ failure: TaskHTTPFailure, seconds: Double) -> (message: JSONObject, log: String) {
        let message: JSONObject = [
            "complete": 1, "code": failure.code.isEmpty ? 1 : .string(failure.code),
            "description": .string(failure.message), "perf": perf(seconds),
        ]
        return (message, "\(failure.message)\n\(metrics(seconds))")
    }

    private static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }

    private static func perf(_ seconds: Double) -> JSONValue { ["scale": 1, "total": .number(rounded(seconds))] }

    private static func metrics(_ seconds: Double) -> String {
        "\nPerformance Metrics: scale=1&total=\(rounded(seconds))\n"
    }

    /// - Returns: no code for a success.
    private func verdict(_ answer: TaskHTTPAnswer, _ text: String) -> (code: JSONValue?, description: String) {
        guard (200..<400).contains(answer.status) else {
            return (.integer(Int64(answer.status)), "HTTP \(answer.status) \(answer.reason)")
        }
        let searched = text.utf8.count <= PluginLimits.searched ? text : String(text.prefix(PluginLimits.searched))
        if let error, error.occurs(in: searched) {
            return (1, "Response contains error match: \(errorText)")
        }
        if let success, !success.occurs(in: searched) {
            return (1, "Response missing success match: \(successText)")
        }
        return (nil, "")
    }

    private func chainData(_ answer: TaskHTTPAnswer, _ isText: Bool) -> JSONValue {
        var headers = JSONObject()
        for header in answer.headers { headers[header.name.lowercased()] = .string(header.value) }
        var data: JSONObject = ["headers": .object(headers)]
        // What is no JSON is in the report.
        if isText, let json = try? JSONValue(parsing: answer.body) { data["json"] = json }
        return .object(data)
    }

    private static func isText(_ answer: TaskHTTPAnswer) -> Bool {
        let type = answer.headers.first { $0.name.lowercased() == "content-type" }?.value.lowercased() ?? ""
        return ["text", "javascript", "json", "css", "html", "xml"].contains { type.contains($0) }
    }

    private static func headers(_ text: String) throws(LaunchError) -> [TaskHTTPHeader] {
        var headers: [TaskHTTPHeader] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let line = String(line).trimmed
            guard !line.isEmpty else { continue }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw LaunchError("a request header must be 'Name: value', not '\(line)'")
            }
            headers.append(TaskHTTPHeader(String(parts[0]).trimmed, String(parts[1]).trimmed))
        }
        return headers
    }

    private static func pattern(_ text: String, _ name: String) throws(LaunchError) -> TextPattern? {
        guard !text.isEmpty else { return nil }
        do throws(DomainError) { return try TextPattern(text) } catch {
            throw LaunchError("the parameter \(name) is no regular expression: \(error.message)")
        }
    }

    private static func seconds(_ number: Double?, else usual: Double) -> Duration {
        guard let number, number > 0 else { return .seconds(usual) }
        return .seconds(min(number, longest))
    }

    private static func lines(_ headers: [TaskHTTPHeader]) -> String {
        headers.map { "\($0.name): \($0.value)\n" }.joined()
    }

    /// What no URL has, as it is written in one.
    private static func percentEncoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case 0x21...0x7E where !#""<>\^`{|}"#.utf8.contains(byte):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return encoded
    }
}

/// `[/path/to/value]` in a text stands for a value of the job.
enum Placeholders {
    static func fill(_ text: String, from job: JSONValue) -> String {
        guard text.utf8.contains(UInt8(ascii: "[")) else { return text }
        var result = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "[") {
            result += rest[..<open]
            rest = rest[open...]
            guard rest.dropFirst().first == "/" || rest.dropFirst().first?.isLetter == true,
                let end = rest.firstIndex(of: "]"), let value = look(rest[rest.index(after: open)..<end], in: job)
            else {
                // Not ours, as a list in JSON is not.
                result += "["
                rest = rest.dropFirst()
                continue
            }
            result += value
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private static func look(_ path: Substring, in job: JSONValue) -> String? {
        var value = job
        for name in path.split(separator: "/") {
            if let member = value.objectValue?[String(name)] {
                value = member
            } else if let list = value.arrayValue, let index = Int(name), list.indices.contains(index) {
                value = list[index]
            } else {
                return nil
            }
        }
        return value.objectValue == nil && value.arrayValue == nil ? PluginParameters.text(value) : value.text
    }
}

extension String {
    /// As text of an element.
    var escapedForHTML: String {
        var escaped = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "<": escaped += "&lt;"
            case "&": escaped += "&amp;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    fileprivate var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
