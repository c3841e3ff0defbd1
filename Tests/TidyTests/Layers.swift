/// The layers: which target may import which. Package.swift declares the same (a test compares the two), but the
/// compiler accepts an import of anything that happens to be built.
enum Layers {
    /// Targets without I/O, clock or C: decisions and formats, testable by the million.
    static let pure: Set<String> = ["Timetable", "JSON", "Domain", "HTTP"]

    /// C libraries; each is imported by one Swift target, so that it can be exchanged at the cost of one target. CLinux
    /// is not among them: it is the kernel's interface, which is not exchanged, and HTTPTransport accepts by it too.
    static let libraries: Set<String> = [
        "CLibPQ", "COpenSSL", "CCrypt", "CCurl", "CZlib", "CSpawn", "CBench", "CWebAssets", "CChronosOpenAPI",
        "CCronicleOpenAPI",
    ]

    /// Modules of the toolchain that every target may import, and those that targets outside `pure` may import too.
    static let everywhere: Set<String> = ["Swift", "Synchronization"]
    static let system: Set<String> = ["Glibc"]

    /// Files in Sources that may import Foundation. None: it costs each process 9 MB and 3 ms of start.
    static let mayImportFoundation: Set<String> = []

    static let table: [String: Set<String>] = [
        "Timetable": [],
        "JSON": [],

        "Domain": ["Timetable"],
        "HTTP": ["JSON"],
        "Runtime": ["CLinux"],
        "Crypto": ["COpenSSL", "CCrypt"],
        "Compression": ["CZlib"],

        "PostgresClient": ["Runtime", "CLibPQ"],
        "DomainCoding": ["Domain", "JSON", "Timetable"],
        "Storage": ["PostgresClient", "Domain", "DomainCoding", "JSON", "Timetable", "Runtime"],
        "WorkerProtocol": ["Domain", "DomainCoding", "HTTP", "JSON", "Crypto", "Timetable"],
        "HTTPTransport": ["HTTP", "JSON", "Runtime", "Compression", "Crypto", "CLinux", "CCurl"],

        "Operations": ["Storage", "Domain", "Crypto", "JSON", "Timetable"],
        "Coordination": ["Domain", "Runtime", "Timetable"],
        "Execution": ["Domain", "DomainCoding", "Runtime", "Compression", "CSpawn", "JSON", "Timetable"],

        "Outbound": ["Execution", "HTTPTransport", "HTTP", "JSON", "Domain"],
        "ChronosAPI": ["Operations", "HTTP", "JSON", "Domain", "Timetable", "CChronosOpenAPI"],
        "CronicleAPI": ["Operations", "HTTP", "JSON", "Domain", "Timetable", "CCronicleOpenAPI"],

        "Node": [
            "ChronosAPI", "CronicleAPI", "Operations", "Coordination", "Execution", "Outbound", "Storage",
            "PostgresClient", "WorkerProtocol", "HTTPTransport", "HTTP", "JSON", "Domain", "DomainCoding", "Timetable",
            "Runtime", "Crypto", "Compression",
        ],
        "CommandLineTool": [
            "Node", "Execution", "Storage", "PostgresClient", "HTTPTransport", "HTTP", "JSON", "Domain", "Timetable",
            "Runtime",
            "Crypto",
        ],
        "carillon": ["CommandLineTool"],

        "Bench": ["PostgresClient", "HTTPTransport", "HTTP", "JSON", "Runtime", "CBench"],
        "carillon-bench": ["Bench"],
    ]

    /// Findings for imports that the table does not allow.
    static func checkImports(_ file: SourceText) -> [Finding] {
        guard file.isSource, let target = file.target else { return [] }
        guard let declared = table[target] else {
            return [Finding(path: file.path, line: 0, message: "target '\(target)' is not in the table of layers")]
        }
        var allowed = declared.union(everywhere)
        if !pure.contains(target) { allowed.formUnion(system) }
        if mayImportFoundation.contains(file.path) { allowed.insert("Foundation") }
        return imports(of: file).filter { !allowed.contains($0.module) }.map { line, module in
            let permitted = declared.isEmpty ? "nothing of the project" : declared.sorted().joined(separator: ", ")
            return Finding(
                path: file.path, line: line,
                message: "\(target) must not import \(module); it may import \(permitted)")
        }
    }

    /// Findings for C modules that a second target imports.
    static func checkOneImporterEach(_ files: [SourceText]) -> [Finding] {
        var importers: [String: (target: String, path: String)] = [:]
        var findings: [Finding] = []
        for file in files where file.isSource {
            for (line, module) in imports(of: file) where libraries.contains(module) {
                guard let target = file.target else { continue }
                if let first = importers[module], first.target != target {
                    findings.append(
                        Finding(
                            path: file.path, line: line,
                            message: "\(module) belongs to \(first.target) (\(first.path)): no second target imports it"
                        ))
                } else {
                    importers[module] = (target, file.path)
                }
            }
        }
        return findings
    }

    /// The imported modules with the line numbers of the imports.
    static func imports(of file: SourceText) -> [(line: Int, module: String)] {
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var", "actor"]
        let modifiers: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        var found: [(line: Int, module: String)] = []
        for (index, line) in file.codeLines.enumerated() where line.utf8.count > 6 {
            var words = line.split(whereSeparator: { $0 == " " || $0 == ";" })[...]
            while let first = words.first, modifiers.contains(first) || first.hasPrefix("@") { words.removeFirst() }
            guard words.popFirst() == "import" else { continue }
            if let kind = words.first, kinds.contains(kind) { words.removeFirst() }
            guard let module = words.first?.split(separator: ".").first else { continue }
            found.append((index + 1, String(module)))
        }
        return found
    }

    /// Findings where Package.swift declares other dependencies of the project's Swift targets than the table.
    static func checkManifest(_ manifest: SourceText) -> [Finding] {
        let declared = declaredDependencies(manifest)
        var findings: [Finding] = []
        for (target, dependencies) in table.sorted(by: { $0.key < $1.key }) {
            if declared[target] == nil {
                findings.append(Finding(path: manifest.path, line: 0, message: "target '\(target)' is missing"))
            } else if declared[target] != dependencies {
                let text = declared[target, default: []].sorted().joined(separator: ", ")
                findings.append(
                    Finding(
                        path: manifest.path, line: 0,
                        message: "\(target) depends on [\(text)], which the table of layers says otherwise"))
            }
        }
        return findings
    }

    /// What `layer("X", ["Y", …])` and `.executableTarget(name: "X", dependencies: ["Y"]…)` declare.
    static func declaredDependencies(_ manifest: SourceText) -> [String: Set<String>] {
        let text = manifest.lines.filter { !$0.drop(while: { $0 == " " }).hasPrefix("//") }.joined(separator: " ")
        var declared: [String: Set<String>] = [:]
        for opening in ["layer(", ".executableTarget("] {
            for call in text.split(separator: opening).dropFirst() {
                let body = call.prefix { $0 != ")" && $0 != "]" }
                var names = body.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                    .filter { $0.offset % 2 == 1 }.map { String($0.element) }
                guard !names.isEmpty else { continue }
                declared[names.removeFirst()] = Set(names)
            }
        }
        return declared
    }
}
