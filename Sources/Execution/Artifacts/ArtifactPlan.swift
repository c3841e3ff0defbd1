import Domain

/// What an offer wants fetched, and where to. Checked again here: a worker trusts its leader to be one, not to be
/// right.
struct ArtifactPlan: Sendable {
    enum Unpacking: Hashable, Sendable {
        case none
        /// With the option by which tar unpacks the compression.
        case tar([String])
        case zip
        /// One compressed file, by the program that expands it to its output.
        case expand(String)
    }

    struct Item: Sendable {
        let source: Artifact.Source
        /// For messages: without user, password and query.
        let shownURI: String
        let uri: String
        /// Below the sandbox.
        let path: String
        let unpacking: Unpacking
        let isExecutable: Bool
        let mayBeCached: Bool
    }

    let items: [Item]

    init(_ offer: Offer) throws(LaunchError) {
        var artifacts = offer.extras?.artifacts ?? []
        if let command = offer.commandURL { artifacts.append(command.artifact) }
        guard artifacts.count <= Limits.artifacts + 1 else { throw LaunchError("it has too many downloads") }
        var items: [Item] = []
        for artifact in artifacts {
            do throws(DomainError) {
                let path = try artifact.path()
                items.append(
                    Item(
                        source: try artifact.source(), shownURI: Self.shown(artifact.uri), uri: artifact.uri,
                        path: path,
                        unpacking: artifact.isExtracted && !artifact.isExecutable ? Self.unpacking(path) : .none,
                        isExecutable: artifact.isExecutable, mayBeCached: artifact.mayBeCached))
            } catch {
                throw LaunchError(error.message)
            }
        }
        self.items = items
    }

    /// The offer as it is started: a command that is an address becomes the program that was fetched from there.
    /// - Parameter directory: the sandbox as the command sees it.
    static func command(of offer: Offer, in directory: String) throws(LaunchError) -> Offer {
        guard let command = offer.commandURL else { return offer }
        let path: String
        do throws(DomainError) { path = try command.artifact.path() } catch { throw LaunchError(error.message) }
        var offer = offer
        let program = "\(directory)/\(path)"
        if offer.shell {
            let quotedProgram =
                "'" + program.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
            offer.command = quotedProgram + command.rest
        } else {
            offer.command = program
        }
        return offer
    }

    private static let endings: [(String, Unpacking)] = [
        (".tar.gz", .tar(["--gzip"])), (".tgz", .tar(["--gzip"])), (".tar.bz2", .tar(["--bzip2"])),
        (".tbz2", .tar(["--bzip2"])), (".tar.xz", .tar(["--xz"])), (".txz", .tar(["--xz"])), (".tar", .tar([])),
        (".zip", .zip), (".gz", .expand("gzip")), (".bz2", .expand("bzip2")), (".xz", .expand("xz")),
    ]

    /// By the name of the file, as Mesos' fetcher tells it.
    private static func unpacking(_ path: String) -> Unpacking {
        let name = path.lowercased()
        return endings.first { name.hasSuffix($0.0) && name.utf8.count > $0.0.utf8.count }?.1 ?? .none
    }

    private static func shown(_ uri: String) -> String {
        let bare = String(uri.prefix { $0 != "?" && $0 != "#" }.prefix(300))
        guard let colon = bare.firstIndex(of: ":"), bare[colon...].hasPrefix("://") else { return bare }
        let start = bare.index(colon, offsetBy: 3)
        let authority = bare[start...].prefix { $0 != "/" }
        guard let at = authority.lastIndex(of: "@") else { return bare }
        return String(bare[..<start] + bare[bare.index(after: at)...])
    }
}
