import Domain
import HTTP
import JSON
import Operations

/// One call of the API.
struct Call: Sendable {
    enum Audience: Sendable { case leader, anyNode }

    /// Where parameters are read (cronicle.md §1.9, `in`).
    enum Inputs: Sendable {
        case body
        /// The query wins.
        case bodyThenQuery
        /// The body wins.
        case queryThenBody
        case query
    }

    enum Answer: Sendable {
        /// Goes behind `code: 0`.
        case object(JSONObject)
        /// All of the answer, as `CallContext.isPlain` requests want it, with its line feed.
        case text([UInt8])
        case response(HTTPResponse)
    }

    typealias Body = @Sendable (CallContext) async throws -> Answer

    let name: String
    let audience: Audience
    let inputs: Inputs
    /// Must not be kept by anybody.
    let isFresh: Bool
    let body: Body

    init(
        _ name: String, _ audience: Audience = .leader, in inputs: Inputs = .body, isFresh: Bool = false,
        _ body: @escaping @Sendable (CallContext) async throws -> JSONObject
    ) {
        self.name = name
        self.audience = audience
        self.inputs = inputs
        self.isFresh = isFresh
        self.body = { .object(try await body($0)) }
    }

    /// A call that writes its answer itself.
    init(
        raw name: String, _ audience: Audience = .leader, in inputs: Inputs = .query, _ body: @escaping Body
    ) {
        self.name = name
        self.audience = audience
        self.inputs = inputs
        isFresh = false
        self.body = body
    }
}

/// All calls by namespace and name.
struct CallTable: Sendable {
    private var calls: [String: [String: Call]] = [:]

    init(_ dependencies: CronicleDependencies) {
        for call in Self.app(dependencies) { calls["app", default: [:]][call.name] = call }
        for call in UserCalls(dependencies).all { calls["user", default: [:]][call.name] = call }
    }

    subscript(namespace: String, name: String) -> Call? { calls[namespace]?[name] }

    private static func app(_ dependencies: CronicleDependencies) -> [Call] {
        let families: [[Call]] = [
            SystemCalls(dependencies).all, KeyCalls(dependencies).all, EventCalls(dependencies).all,
            [RunEventCall(dependencies).call], JobCalls(dependencies).all, LogCalls(dependencies).all,
            HistoryCalls(dependencies).all, CatalogueCalls(dependencies).all, PluginCalls(dependencies).all,
            StateCalls(dependencies).all, ServerCalls(dependencies).all,
        ]
        return families.flatMap { $0 }
    }
}

/// One request for a call.
struct CallContext: Sendable {
    let request: HTTPRequest
    let parameters: CronicleParameters
    /// Merged as the call wants it.
    let values: JSONObject
    let known: Principal?
    let namespace: String
    let dependencies: CronicleDependencies

    init(
        request: HTTPRequest, parameters: CronicleParameters, inputs: Call.Inputs, known: Principal?,
        namespace: String, dependencies: CronicleDependencies
    ) {
        self.request = request
        self.parameters = parameters
        self.known = known
        self.namespace = namespace
        self.dependencies = dependencies
        values =
            switch inputs {
            case .body: parameters.body
            case .query: parameters.query
            case .bodyThenQuery: Self.merged(parameters.body, parameters.query)
            case .queryThenBody: Self.merged(parameters.query, parameters.body)
            }
    }

    private static func merged(_ first: JSONObject, _ second: JSONObject) -> JSONObject {
        guard !second.isEmpty else { return first }
        guard !first.isEmpty else { return second }
        var merged = first
        for (key, value) in second { merged[key] = value }
        return merged
    }

    /// The answer is JSON text as short as it can be: neither indented nor a script.
    var isPlain: Bool {
        request.query == nil || parameters.query["pretty"] == nil && parameters.query["callback"] == nil
    }

    /// A text, or a number written as one; nil where there is neither.
    func text(_ key: String) -> String? {
        switch values[key] {
        case .string(let text)?: text
        case .integer?, .number?: values[key]?.text
        default: nil
        }
    }

    /// As JavaScript's truth: absent, null, false, 0 and the empty text are not.
    func isTrue(_ key: String) -> Bool { values[key]?.isTruthy ?? false }

    /// A whole number as JavaScript's parseInt finds it in whatever was sent; nil where it finds none.
    func integer(_ key: String) -> Int? { values[key].flatMap(ScriptNumber.parseInt) }
}

extension JSONValue {
    /// As JavaScript's truth.
    var isTruthy: Bool {
        switch self {
        case .null: false
        case .bool(let flag): flag
        case .integer(let number): number != 0
        case .number(let number): number != 0
        case .string(let text): !text.isEmpty
        case .array, .object: true
        }
    }

    /// As JavaScript's typeof.
    var scriptType: String {
        switch self {
        case .bool: "boolean"
        case .integer, .number: "number"
        case .string: "string"
        case .null, .array, .object: "object"
        }
    }

    /// As JavaScript's String().
    var scriptText: String {
        switch self {
        case .null: "null"
        case .string(let text): text
        case .array(let elements): elements.map { $0.isNull ? "" : $0.scriptText }.joined(separator: ",")
        case .object: "[object Object]"
        case .number(let number):
            Int64(exactly: number).map(String.init) ?? text
        case .bool, .integer: text
        }
    }
}

/// Numbers as JavaScript reads them out of texts.
enum ScriptNumber {
    /// The leading digits of the value's text, with a sign; beyond what an Int holds, the nearest it does.
    static func parseInt(_ value: JSONValue) -> Int? {
        if case .integer(let number) = value { return Int(clamping: number) }
        var text = value.scriptText[...]
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        let isNegative = text.hasPrefix("-")
        if isNegative || text.hasPrefix("+") { text.removeFirst() }
        let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty else { return nil }
        var number = 0
        for digit in digits {
            let (scaled, overflowed) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = scaled.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
            guard !overflowed, !carried else { return isNegative ? .min : .max }
            number = sum
        }
        return isNegative ? -number : number
    }
}
