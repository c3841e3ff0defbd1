import CCronicleOpenAPI
public import HTTP

extension CronicleAPI {
    static let documentPath = "/openapi/cronicle.json"

    /// `GET /openapi/cronicle.json`: the description of this API, for people's tools and for generated clients. It
    /// tells nothing of what is in the cluster, and so needs no key.
    public static func registerDocument(on router: inout HTTPRouter) {
        router.on(
            .get, documentPath, metadata: RouteMetadata(audience: .anyNode, needsKey: false)
        ) { _ in
            var response = HTTPResponse.json(bytes: documentBytes)
            response.headers["Access-Control-Allow-Origin"] = "*"
            return response
        }
    }

    static var documentBytes: [UInt8] {
        var count = 0
        let start = carillon_cronicle_openapi(&count)
        return Array(UnsafeBufferPointer(start: start, count: count))
    }
}
