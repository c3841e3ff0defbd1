import Glibc
import JSON

/// `carillon job edit`: a job's file in an editor, and back.
enum JobEditing {
    static let edit = Command(
        path: ["job", "edit"], summary: "Change a job in an editor",
        details: """
            Opens the job as 'carillon export' writes it, with the editor that VISUAL or EDITOR names, and applies \
            what has been changed. Needs the privilege admin. If the text cannot be used it is kept, and the message \
            says where.
            """,
        positionals: [JobCommands.name], options: ClientCommands.shared
    ) { arguments in
        let name = arguments.positionals[0]
        let before = try fetch(arguments, name)
        let path = try temporaryFile(before)
        try runEditor(path)
        do {
            let text = try SmallFile.read(path, limit: JobCommands.largestFile)
            guard text != before else {
                unlink(path)
                Console.out("nothing was changed")
                return 0
            }
            let job: JSONValue
            do throws(JSONError) { job = try JSONValue(parsing: Array(text.utf8)) } catch {
                throw APIClient.Failure(status: nil, message: "\(error.message) at byte \(error.offset)")
            }
            guard try fetch(arguments, name) == before else {
                throw APIClient.Failure(status: 409, message: "somebody else has changed the job meanwhile")
            }
            let status = try ClientCommands.perform(arguments) { client, output in
                let answer = try await client.json(
                    .post, ManagementRoute.configuration,
                    body: JSONValue(dictionaryLiteral: ("jobs", [job])).serialized())
                output.show(answer) { ConfigurationText.changes(answer, output.style) }
            }
            unlink(path)
            return status
        } catch {
            throw APIClient.Failure(status: nil, message: "\(error). Your text is in \(path)")
        }
    }

    private static func fetch(_ arguments: Arguments, _ name: String) throws -> String {
        let box = Box()
        _ = try ClientCommands.perform(arguments) { client, _ in
            let job = try await client.json(.get, ManagementRoute.configurationJob(name))
            box.text = String(decoding: job.serialized(pretty: true), as: UTF8.self) + "\n"
        }
        return box.text
    }

    /// Written by the one task, read after it has ended: that is the reason for `@unchecked Sendable`.
    private final class Box: @unchecked Sendable { var text = "" }

    private static func temporaryFile(_ text: String) throws -> String {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(folder)/carillon-job-XXXXXX.json".utf8CString)
        let descriptor = mkstemps(&template, 5)
        guard descriptor >= 0 else {
            throw APIClient.Failure(
                status: nil, message: "cannot make a file in \(folder): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            throw APIClient.Failure(status: nil, message: "cannot write to \(folder): is the disk full?")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The editor is a command line, as other programs take it too.
    private static func runEditor(_ path: String) throws {
        let names = (["VISUAL", "EDITOR"] as [String]).compactMap { getenv($0).map { String(cString: $0) } }
        let editor = names.first { !$0.isEmpty } ?? "vi"
        var words: [UnsafeMutablePointer<CChar>?] = []
        for word in ["sh", "-c", "\(editor) \"$0\"", path] as [String] { words.append(strdup(word)) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        guard posix_spawn(&child, "/bin/sh", nil, nil, &words, environ) == 0 else {
            throw APIClient.Failure(status: nil, message: "cannot start the editor '\(editor)'")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else {
            unlink(path)
            throw APIClient.Failure(status: nil, message: "the editor '\(editor)' failed; nothing was changed")
        }
    }
}
