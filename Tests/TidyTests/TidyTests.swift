import Testing

@Suite("The repository is tidy")
struct TidyTests {
    private static let repository = Repository()

    private func report(_ findings: [Finding]) {
        guard !findings.isEmpty else { return }
        let list = findings.map(\.description).sorted().joined(separator: "\n")
        Issue.record("\(findings.count) findings:\n\(list)")
    }

    @Test("every file obeys every rule")
    func everyFile() throws {
        let files = try Self.repository.files()
        try #require(files.contains { $0.path == "Package.swift" }, "the repository's root was not found")
        report(files.flatMap { file in Rules.all.flatMap { rule in rule(file) } })
    }

    @Test("each C library is imported by one target")
    func oneImporterEach() throws {
        report(Layers.checkOneImporterEach(try Self.repository.files()))
    }

    @Test("the manifest declares what the table of layers says")
    func manifest() throws {
        let manifest = try #require(try Self.repository.files().first { $0.path == "Package.swift" })
        report(Layers.checkManifest(manifest))
    }

    @Test("each target's first file opens with a design comment")
    func designComments() throws {
        let targets = Layers.table.keys.filter { !$0.hasPrefix("carillon") }
        report(Rules.designComments(try Self.repository.files(), targets: targets))
    }

    @Test("the top level holds what it should and nothing else")
    func topLevel() throws {
        report(Rules.topLevel(try Self.repository.topLevel))
    }
}
