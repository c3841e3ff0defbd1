import Domain
import HTTP
import Operations

/// The entity tag of a job: the version of its definition, which every change of it raises and no run does.
///
/// `If-None-Match: *` creates only, `If-Match: *` changes only, `If-Match: "7"` changes only version 7 (RFC 9110 §13).
enum EntityTag {
    static let header = "ETag"

    static func text(of job: Job) -> String { "\"\(job.version)\"" }

    /// - Throws: `.invalid` for what is no condition on a job.
    static func condition(of request: HTTPRequest) throws(DomainError) -> PutCondition {
        let wanted = request.headers.all("If-Match").joined(separator: ",")
        let unwanted = request.headers.all("If-None-Match").joined(separator: ",")
        switch (wanted.isEmpty, unwanted.isEmpty) {
        case (true, true): return .none
        case (false, false): throw .invalid("If-Match and If-None-Match cannot both hold: send one of them")
        case (true, false):
            guard trimmed(unwanted[...]) == "*" else {
                throw .invalid("If-None-Match must be *, which creates a job and changes none, not \(quoted(unwanted))")
            }
            return .isNew
        case (false, true):
            if trimmed(wanted[...]) == "*" { return .exists }
            var versions: [Int64] = []
            for tag in wanted.split(separator: ",") {
                let tag = trimmed(tag)
                let digits = tag.dropFirst().dropLast()
                guard tag.count > 2, tag.hasPrefix("\""), tag.hasSuffix("\""), let version = Int64(digits) else {
                    throw .invalid(
                        "If-Match must be * or the ETag that GET job/NAME gave, such as \"7\", not \(quoted(wanted))")
                }
                versions.append(version)
            }
            guard !versions.isEmpty else { throw .invalid("If-Match names no version") }
            return .hasVersion(versions)
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
