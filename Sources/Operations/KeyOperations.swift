public import Domain

/// Use cases on API keys.
public struct KeyOperations: Sendable {
    /// Two of 2^48 prefixes are equal once in a lifetime; more than a second time in a row something else is wrong.
    private static let tries = 3

    private let writing: any KeyWriting

    public init(writing: any KeyWriting) { self.writing = writing }

    /// Makes and stores a key. The secret is in the answer and nowhere else.
    public func create(
        _ principal: Principal, title: String, privileges: Set<Privilege>
    ) async throws(DomainError) -> APIKey {
        try principal.require(.admin)
        var failure = StoreError(.conflict, "")
        for _ in 0..<Self.tries {
            let key = try APIKey(title: title, privileges: privileges)
            do {
                try await writing.insert(key.stored)
                return key
            } catch {
                guard error.code == .conflict else { throw DomainError(error) }
                failure = error
            }
        }
        throw DomainError(failure)
    }
}
