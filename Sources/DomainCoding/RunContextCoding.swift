public import Domain
public import JSON
import Timetable

/// How runs were asked for, and what chains hand on.
public enum RunContextCoding {
    public static func text(_ context: RunContext) -> String { encode(context).text }

    public static func encode(_ context: RunContext) -> JSONValue {
        var object = JSONObject()
        object["definition"] = context.definition.map { .object(JobDefinitionCoding.encode($0)) }
        if !context.source.isEmpty { object["source"] = .string(context.source) }
        object["chain"] = context.chain.map(encode)
        if !context.postData.isEmpty { object["post_data"] = .string(context.postData) }
        if !context.worker.isEmpty { object["worker"] = .string(context.worker) }
        object["trace"] = context.trace.map { .string($0.text) }
        object["first_start_us"] = context.firstStart.map { .integer($0.microseconds) }
        return .object(object)
    }

    public static func decode(_ value: JSONValue) throws(StoreError) -> RunContext {
        let fields = try Fields(value, of: "the context of a run")
        return RunContext(
            definition: try fields["definition"].map(JobDefinitionCoding.decode),
            source: try fields.string("source", else: ""), chain: try fields["chain"].map(decodeChain),
            postData: try fields.string("post_data", else: ""), worker: try fields.string("worker", else: ""),
            trace: TraceContext(try fields.string("trace", else: "")),
            firstStart: fields["first_start_us"] == nil
                ? nil : Instant(microseconds: try fields.integer("first_start_us", else: 0)))
    }

    public static func encode(_ chain: ChainLink) -> JSONValue {
        var object: JSONObject = [
            "run": .string(chain.run.rawValue), "job": .string(chain.job.rawValue), "title": .string(chain.jobTitle),
            "data": .string(chain.data), "code": .string(chain.code), "description": .string(chain.description),
            "length": .integer(Int64(chain.length)),
        ]
        if !chain.parameters.isEmpty { object["parameters"] = .string(chain.parameters) }
        return .object(object)
    }

    public static func decodeChain(_ value: JSONValue) throws(StoreError) -> ChainLink {
        let fields = try Fields(value, of: "a link of a chain")
        var link = ChainLink(
            run: RunID(try fields.string("run", else: "")), job: JobID(try fields.string("job", else: "")),
            jobTitle: try fields.string("title", else: ""), data: try fields.string("data", else: ""),
            code: try fields.string("code", else: ""), description: try fields.string("description", else: ""),
            length: Int(clamping: try fields.integer("length", else: 0)))
        link.parameters = try fields.string("parameters", else: "")
        return link
    }
}
