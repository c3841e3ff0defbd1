import Crypto
public import Domain

/// Identifiers that are not given out twice, for what is no job and no run.
public enum Identifiers {
    /// Ten characters of `[0-9a-z]`.
    public static func make() throws(DomainError) -> String {
        do { return Hex.encode(try RandomBytes.make(5)) } catch {
            throw .unavailable("no identifier can be made: \(error)")
        }
    }
}
