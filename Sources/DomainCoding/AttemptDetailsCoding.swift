public import Domain
public import JSON

/// What workers know of a try.
public enum AttemptDetailsCoding {
    public static func text(_ details: AttemptDetails) -> String { encode(details).text }

    public static func encode(_ details: AttemptDetails) -> JSONValue {
        var object = JSONObject()
        object["cpu"] = details.cpu.map(encode)
        object["memory"] = details.memory.map(encode)
        if details.logBytes != 0 { object["log_bytes"] = .integer(details.logBytes) }
        object["process"] = details.process.map { .integer(Int64($0)) }
        if details.reported != "{}" { object["reported"] = .string(details.reported) }
        if let result = details.result { object["result"] = encode(result) }
        if details.survivors != 0 { object["survivors"] = .integer(Int64(details.survivors)) }
        return .object(object)
    }

    public static func decode(_ value: JSONValue) throws(StoreError) -> AttemptDetails {
        let fields = try Fields(value, of: "the details of a try")
        var details = AttemptDetails()
        if let cpu = fields["cpu"] { details.cpu = try decodeUsage(cpu) }
        if let memory = fields["memory"] { details.memory = try decodeUsage(memory) }
        details.logBytes = try fields.integer("log_bytes", else: 0)
        if fields["process"] != nil { details.process = Int32(clamping: try fields.integer("process", else: 0)) }
        details.reported = try fields.string("reported", else: "{}")
        guard details.reported.utf8.count <= Limits.reported else {
            throw StoreError(.data, "the details of a try have more than \(Limits.reported) bytes of reported values")
        }
        if let result = fields["result"] { details.result = try decodeResult(result) }
        details.survivors = Int(clamping: try fields.integer("survivors", else: 0))
        return details
    }

    private static func encode(_ result: ReportedResult) -> JSONValue {
        var object = JSONObject()
        for (key, path) in resultKeys { object[key] = result[keyPath: path].map { .string($0) } }
        return .object(object)
    }

    private static func decodeResult(_ value: JSONValue) throws(StoreError) -> ReportedResult {
        let fields = try Fields(value, of: "the result of a try")
        var result = ReportedResult()
        var bytes = 0
        for (key, path) in resultKeys where fields[key] != nil {
            let text = try fields.string(key, else: "")
            bytes += text.utf8.count
            result[keyPath: path] = text
        }
        guard bytes <= Limits.reported else {
            throw StoreError(.data, "the result of a try has more than \(Limits.reported) bytes")
        }
        return result
    }

    private static var resultKeys: [(String, WritableKeyPath<ReportedResult, String?>)] {
        [
            ("code", \.code), ("description", \.description), ("on_success", \.onSuccess),
            ("on_failure", \.onFailure), ("chain_data", \.chainData), ("chain_parameters", \.chainParameters),
            ("mail_on_success", \.mailOnSuccess), ("mail_on_failure", \.mailOnFailure),
        ]
    }

    private static func encode(_ usage: UsageStatistics) -> JSONValue {
        [
            "min": .number(usage.minimum), "max": .number(usage.maximum), "total": .number(usage.total),
            "count": .integer(usage.count), "current": .number(usage.current),
        ]
    }

    private static func decodeUsage(_ value: JSONValue) throws(StoreError) -> UsageStatistics {
        let fields = try Fields(value, of: "the usage of a try")
        return UsageStatistics(
            minimum: try fields.double("min", else: 0), maximum: try fields.double("max", else: 0),
            total: try fields.double("total", else: 0), count: try fields.integer("count", else: 0),
            current: try fields.double("current", else: 0))
    }
}
