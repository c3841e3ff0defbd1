import CChronosOpenAPI
import HTTP

/// `GET /openapi/chronos.json`: the description of this API, for people's tools and for generated clients. It tells
/// nothing of what is in the cluster, and so needs no key.
struct DocumentResource {
    func register(on router: inout HTTPRouter) {
        router.on(
            .get, ChronosAPI.documentPath,
            metadata: RouteMetadata(audience: .anyNode, needsKey: false, tag: ChronosAPI.tag)
        ) { _ in
            var response = HTTPResponse.json(bytes: Self.bytes)
            response.headers[CrossOrigin.header] = CrossOrigin.anyone
            return response
        }
    }

    static var bytes: [UInt8] {
        var count = 0
        let start = carillon_chronos_openapi(&count)
        return Array(UnsafeBufferPointer(start: start, count: count))
    }
}
