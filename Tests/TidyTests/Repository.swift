import Foundation

/// The working copy that this test was built from.
struct Repository {
    let root: URL

    /// Folders whose files are data, not text of ours.
    private static let skipped: Set<String> = [".build", ".git", ".swiftpm", "carillon-data", "corpus", "golden"]
    private static let scanned = ["Sources", "Tests", "deploy", "docker", ".ci"]
    private static let scannedFiles = ["Package.swift", "README.md"]

    init() {
        root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    var topLevel: Set<String> {
        get throws { Set(try FileManager.default.contentsOfDirectory(atPath: root.path)) }
    }

    /// Every text file of the project, in a stable order.
    func files() throws -> [SourceText] {
        var paths = Self.scannedFiles
        for folder in Self.scanned {
            guard let walk = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path) else {
                continue
            }
            while let path = walk.nextObject() as? String {
                if Self.skipped.contains((path as NSString).lastPathComponent) {
                    walk.skipDescendants()
                } else {
                    paths.append("\(folder)/\(path)")
                }
            }
        }
        return paths.sorted().compactMap { path in
            // Folders and what is not UTF-8 cannot be read as text, and are not.
            guard let text = try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8) else {
                return nil
            }
            return SourceText(path: path, text)
        }
    }
}
