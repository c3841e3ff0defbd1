import PostgresClient
import Testing

/// The error that the body must throw: for requests that run beside others.
func failure<T>(
    _ location: SourceLocation = #_sourceLocation, _ body: @Sendable () async throws -> T
) async -> PostgresError? {
    do {
        _ = try await body()
        Issue.record("should have failed", sourceLocation: location)
        return nil
    } catch let error as PostgresError {
        return error
    } catch {
        Issue.record("failed with \(error)", sourceLocation: location)
        return nil
    }
}
