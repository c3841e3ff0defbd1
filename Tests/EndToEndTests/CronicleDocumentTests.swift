import Foundation
import JSON
import Testing

extension EndToEnd {
    /// The description of the Cronicle dialect, and a client that was generated from it.
    @Suite("A fuzzing client of the Cronicle dialect", .serialized, .cluster(nodes: 1, workers: 1))
    struct CronicleDocumentTests {
        @Test("each path that is described is a call, and whatever the description refers to is there")
        func paths() async throws {
            try await onCluster { cluster in
                let base = try cluster.leaderNode().url
                let document = try #require(
                    try TestHTTP.request("GET", base + "/openapi/cronicle.json").json)
                #expect(document["openapi"] == "3.1.0")
                let paths = try #require(document["paths"]?.objectValue)
                #expect(paths.count > 60)
                for (path, item) in paths {
                    // Without a key nothing happens.
                    let method = item["post"] == nil ? "GET" : "POST"
                    let answer = try TestHTTP.request(
                        method, base + path, headers: ["Content-Type": "application/json"],
                        body: method == "POST" ? "{}" : nil)
                    #expect(answer.status == 200 || answer.status == 404, "\(path): \(answer.text)")
                    #expect(!answer.text.contains("Unsupported API"), "\(path)")
                }
                for reference in Self.references(in: document) {
                    var found: JSONValue? = document
                    for step in reference.split(separator: "/").dropFirst() { found = found?[String(step)] }
                    #expect(found != nil, "\(reference)")
                }
            }
        }

        private static func references(in value: JSONValue) -> Set<String> {
            switch value {
            case .array(let elements): elements.reduce(into: []) { $0.formUnion(references(in: $1)) }
            case .object(let object):
                object.reduce(into: []) { found, member in
                    if member.key == "$ref", let text = member.value.stringValue { found.insert(text) }
                    found.formUnion(references(in: member.value))
                }
            default: []
            }
        }

        @Test(
            "finds no answer of 5xx and none that is not described",
            .enabled(if: SchemaFuzzer.isInstalled, "python3 cannot import schemathesis (from PyPI)"),
            .timeLimit(.minutes(8)))
        func fuzz() async throws {
            try await onCluster { cluster in
                let url = try cluster.leaderNode().url
                // Nobody executes what a fuzzer takes for a command.
                for worker in cluster.workers { try worker.kill() }
                let result = try SchemaFuzzer.run(
                    url, document: "/openapi/cronicle.json", key: cluster.key, folder: cluster.folder,
                    // It answers after a second, which is all that there is to it.
                    excluding: "/echo/")
                #expect(result.status == 0, "\(result.output.suffix(8_000))\(result.errors)")
                let health = try cluster.request("GET", url + "/health/leader")
                #expect(health.status == 200, "\(health.text)")
            }
        }
    }
}
