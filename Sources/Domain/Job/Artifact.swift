/// Something that a worker fetches into the working directory before it starts the command (Chronos' `fetch`, `uris`).
public struct Artifact: Hashable, Sendable {
    public var uri: String
    /// Path below the working directory; empty: the last part of the address.
    public var outputFile = ""
    public var isExecutable = false
    public var mayBeCached = false
    /// Archives that are known by their name are unpacked into the working directory.
    public var isExtracted = true

    public init(uri: String) { self.uri = uri }
}
