import HTTP
import JSON
import Testing

@testable import ChronosAPI

@Suite("The description of the API")
struct DocumentTests {
    static func document() async throws -> JSONValue {
        let answer = await Server().call(.get, "/openapi/chronos.json", as: nil)
        #expect(answer.status == 200)
        #expect(answer.headers["Content-Type"] == "application/json")
        return try #require(answer.json)
    }

    /// What a `$ref` below stands for.
    static func resolved(_ value: JSONValue, in document: JSONValue) throws -> JSONValue {
        guard let reference = value["$ref"]?.stringValue else { return value }
        var found = document
        for step in reference.split(separator: "/").dropFirst() {
            found = try #require(found[String(step)], "\(reference) is nowhere")
        }
        return found
    }

    static func references(in value: JSONValue) -> [String] {
        switch value {
        case .array(let elements): elements.flatMap(references)
        case .object(let object):
            object.flatMap { key, value in
                key == "$ref" ? [value.stringValue ?? "no text"] : references(in: value)
            }
        default: []
        }
    }

    @Test("is OpenAPI 3.1, and whatever it refers to is there")
    func references() async throws {
        let document = try await Self.document()
        #expect(document["openapi"] == "3.1.0")
        let all = Set(Self.references(in: document))
        #expect(all.count > 40)
        for reference in all { _ = try Self.resolved(["$ref": .string(reference)], in: document) }
    }

    @Test("describes each route, and nothing that is no route")
    func routes() async throws {
        let document = try await Self.document()
        var described: Set<String> = []
        for (path, item) in try #require(document["paths"]?.objectValue) {
            for (method, _) in try #require(try Self.resolved(item, in: document).objectValue)
            where method != "parameters" {
                described.insert("\(method.uppercased()) \(path)")
            }
        }
        let routes = Set(Server().router.routes.map { "\($0.method.rawValue) \($0.pattern)" })
        #expect(described.subtracting(routes).sorted() == [])
        #expect(routes.subtracting(described).sorted() == [])
        #expect(routes.count == Server().router.routes.count)
    }

    @Test("each operation names its path's parameters, and a 302 exactly where only the leader answers")
    func operations() async throws {
        let document = try await Self.document()
        for route in Server().router.routes {
            let item = try Self.resolved(try #require(document["paths"]?[route.pattern]), in: document)
            let operation = try #require(item[route.method.rawValue.lowercased()], "\(route.method) \(route.pattern)")
            let place = "\(route.method) \(route.pattern)"
            let parameters = (item["parameters"]?.arrayValue ?? []) + (operation["parameters"]?.arrayValue ?? [])
            let named = try parameters.map { try Self.resolved($0, in: document) }
                .filter { $0["in"] == "path" }.compactMap { $0["name"]?.stringValue }
            let wanted = route.pattern.split(separator: "/").filter { $0.hasPrefix("{") }
                .map { String($0.dropFirst().dropLast()) }
            #expect(named == wanted, "\(place)")
            let responses = try #require(operation["responses"]?.objectValue)
            #expect((responses["302"] != nil) == (route.metadata.audience == .leader), "\(place)")
            #expect((responses["401"] != nil) == route.metadata.needsKey, "\(place)")
            for (status, response) in responses where (Int(status) ?? 0) >= 400 {
                let described = try Self.resolved(response, in: document)
                #expect(
                    described["content"]?["application/json"]?["schema"]?["$ref"] == "#/components/schemas/Error",
                    "\(place) \(status)")
            }
        }
    }

    @Test("the fields of a listed job are those that the document names, in all its forms")
    func fields() async throws {
        let document = try await Self.document()
        let schema = try #require(document["components"]?["schemas"]?["Job"])
        let known = Set(try #require(schema["properties"]?.objectValue).map(\.key))
        let always = Set(try #require(schema["required"]?.arrayValue).compactMap(\.stringValue))
        let plain = Set(try #require(try Coding.listed(#""owner":"""#).objectValue).map(\.key))
        #expect(plain == always.union(["schedule", "scheduleTimeZone"]))
        let full = try Coding.listed(
            #"""
            "epsilon":"PT5M","async":true,"timeout":5,"retryDelay":1,"onFailure":"b","dataJob":true,
            "container":{"image":"i"}
            """#)
        let all = Set(try #require(full.objectValue).map(\.key))
        #expect(all.subtracting(known) == [])
        #expect(known.subtracting(all) == ["parents"])
    }
}
