import Foundation

/// Schemathesis: says whatever a description allows, and much that it does not.
enum SchemaFuzzer {
    // Without Python at all there is no package either; the trait shows the reason.
    static let isInstalled = (try? Executable.shell("python3 -c 'import schemathesis'"))?.status == 0

    /// What each answer must satisfy.
    private static let checks = [
        "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
        "response_schema_conformance",
    ]

    /// One worker only: Python 3.11 before 3.11.8 fails ("AST constructor recursion depth mismatch") when two threads
    /// parse at once, which schemathesis reports as errors of its own.
    /// - Parameter excluding: a regular expression of paths.
    static func run(
        _ url: String, document: String, key: String, folder: String, excluding: String
    ) throws -> Executable.Result {
        try Executable.run(
            "/usr/bin/env",
            [
                // It leaves files where it runs.
                "--chdir=" + folder, "python3", "-m", "schemathesis.cli", "run", url + document, "--url", url,
                "--header",
                "X-API-Key: " + key, "--checks", checks.joined(separator: ","), "--phases",
                "examples,coverage,fuzzing", "--seed", "1", "--max-examples", "5", "--workers", "1",
                "--generation-database", "none", "--no-shrink", "--no-color", "--request-timeout", "10",
                "--exclude-path-regex", excluding, "--suppress-health-check", "all",
            ],
            environment: ["HOME": folder, "TMPDIR": folder], timeout: 400)
    }
}
