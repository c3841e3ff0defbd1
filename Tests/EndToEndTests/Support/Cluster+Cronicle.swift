import JSON
import Testing

extension Cluster {
    /// A call of Cronicle's API at the leader, by its name below `/api/app/`; any code but 0 is a failure.
    func cronicle(_ call: String, _ parameters: JSONObject) throws -> JSONValue {
        let answer = try TestHTTP.request(
            "POST", try leaderNode().url + "/api/app/" + call,
            headers: ["Content-Type": "application/json", "X-API-Key": key],
            body: JSONValue.object(parameters).text)
        let json = try JSONValue(parsing: answer.body)
        try #require(json["code"] == 0, "\(call): \(json.text)")
        return json
    }
}
