import Compression
import HTTP

extension ServerCore {
    /// Whether compression would help: a body of text of some size, not encoded yet.
    func isCompressible(_ response: HTTPResponse) -> Bool {
        guard case .bytes(let bytes) = response.body, bytes.count >= configuration.gzipFrom else { return false }
        return response.status != 206 && response.headers["Content-Encoding"] == nil
            && ContentCoding.isWorthwhile(contentType: response.headers["Content-Type"])
    }

    /// The compressible answer, compressed if the client accepts gzip.
    func compressed(_ response: HTTPResponse, for request: HTTPRequest) async -> HTTPResponse {
        guard case .bytes(let bytes) = response.body else { return response }
        var answer = response
        // Whether compressed or not: a cache must keep the two apart.
        answer.headers.add("Vary", "Accept-Encoding")
        guard ContentCoding.acceptsGzip(request.headers.all("Accept-Encoding")) else { return answer }
        do {
            let smaller =
                bytes.count <= Self.compressedOnLoop
                ? try Gzip.compress(bytes) : try await pool.run { try Gzip.compress(bytes) }
            guard smaller.count < bytes.count else { return answer }
            answer.headers["Content-Encoding"] = "gzip"
            answer.body = .bytes(smaller)
        } catch {
            // The pool is full, or memory is short: then the body goes as it is, which is right, only longer.
            log.debug("an answer was not compressed: \(error)")
        }
        return answer
    }
}

/// What a client's and an answer's headers say about compression.
public enum ContentCoding {
    /// Whether a body of this type gets shorter: text, JSON, XML and JavaScript.
    static func isWorthwhile(contentType: String?) -> Bool {
        guard let contentType else { return false }
        let type = contentType.prefix { $0 != ";" }.lowercased()
        return type.hasPrefix("text/") || type.hasPrefix("application/json") || type.hasSuffix("+json")
            || type.hasPrefix("application/javascript") || type.hasPrefix("application/xml")
            || type.hasPrefix("image/svg+xml")
    }

    /// Whether Accept-Encoding allows gzip (RFC 9110 §12.5.3): named, or by "*", with a weight above 0.
    public static func acceptsGzip(_ fields: [String]) -> Bool {
        var byStar = false
        for field in fields {
            for item in field.utf8.split(separator: UInt8(ascii: ",")) {
                let parts = item.split(separator: UInt8(ascii: ";"))
                guard let first = parts.first else { continue }
                let name = String(decoding: first.trimmingBlanks, as: UTF8.self).lowercased()
                let isAllowed = !parts.dropFirst().contains { isZeroWeight($0) }
                if name == "gzip" || name == "x-gzip" { return isAllowed }
                if name == "*" { byStar = isAllowed }
            }
        }
        return byStar
    }

    /// `q=0`, `q=0.0`, `q=0.000`.
    private static func isZeroWeight(_ parameter: Substring.UTF8View.SubSequence) -> Bool {
        let text = Array(String(decoding: parameter.trimmingBlanks, as: UTF8.self).lowercased().utf8)
        guard text.starts(with: "q=0".utf8) else { return false }
        return text.dropFirst(3).allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
    }
}
