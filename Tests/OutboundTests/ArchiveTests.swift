import Domain
import Execution
import Foundation
import Testing

@testable import Outbound

@Suite("Archives", .serialized)
struct ArchiveTests {
    /// Makes a file by a script in a directory of its own, and runs a command with it.
    private func run(
        _ name: String, made script: String, command: String, settings: ArtifactSettings = ArtifactSettings(),
        _ change: (inout Artifact) -> Void = { _ in }
    ) async throws -> Result<String, Unmet> {
        let source = try Scratch()
        try shell(script, in: source.path)
        let settings = {
            var settings = settings
            settings.fileDirectories = [source.path]
            return settings
        }()
        var artifact = Artifact(uri: "file://\(source.path)/\(name)")
        change(&artifact)
        let offer = sampleOffer("archive", command: command, artifacts: [artifact])
        return try await onLoop { loop in
            let machine = try Machine(loop: loop, scratch: try Scratch(), artifacts: settings)
            defer { machine.client.close() }
            do {
                let log = try await machine.run(offer).log
                #expect(machine.scratch.names("worker/fetch") == [])
                return .success(String(log.drop { $0 != "\n" }.dropFirst()))
            } catch {
                #expect(machine.scratch.names("worker/runs") == [] && machine.scratch.names("worker/fetch") == [])
                return .failure(Unmet(description: "\(error)"))
            }
        }
    }

    private static let tree =
        "mkdir -p d/e && echo one >d/f && printf '#!/bin/sh\\necho two\\n' >d/e/g && chmod 755 d/e/g && "

    @Test(
        "archives of every kind are unpacked by their name",
        arguments: [
            ("a.tar", "tar -cf a.tar d"), ("a.tar.gz", "tar -czf a.tar.gz d"), ("a.tgz", "tar -czf a.tgz d"),
            ("a.tar.bz2", "tar -cjf a.tar.bz2 d"), ("a.tbz2", "tar -cjf a.tbz2 d"), ("a.TAR.XZ", "tar -cJf a.TAR.XZ d"),
            ("a.txz", "tar -cJf a.txz d"),
            (
                "a.zip",
                "python3 -c \"import zipfile,os; z=zipfile.ZipFile('a.zip','w'); z.write('d/f'); z.write('d/e/g')\""
            ),
        ])
    func unpacked(name: String, script: String) async throws {
        let result = try await run(name, made: Self.tree + script, command: "cat d/f; d/e/g; ls")
        #expect(try result.get() == "one\ntwo\nd\n")
    }

    @Test(
        "a single compressed file is expanded in place",
        arguments: [("f.gz", "gzip"), ("f.bz2", "bzip2"), ("f.xz", "xz")])
    func expanded(name: String, program: String) async throws {
        let result = try await run(name, made: "echo one >f && \(program) f", command: "cat f; ls")
        #expect(try result.get() == "one\nf\n")
    }

    @Test("an archive stays whole when it shall not be unpacked, or is to be executed")
    func whole() async throws {
        let script = Self.tree + "tar -cf a.tar d"
        let unwanted = try await run("a.tar", made: script, command: "ls") { $0.isExtracted = false }
        #expect(try unwanted.get() == "a.tar\n")
        let executable = try await run("a.tar", made: script, command: "ls") { $0.isExecutable = true }
        #expect(try executable.get() == "a.tar\n")
    }

    private static func python(_ lines: String...) -> String {
        "python3 - <<'E'\nimport tarfile, io, zipfile, stat\n\(lines.joined(separator: "\n"))\nE"
    }

    private static func tar(_ entry: String) -> String {
        python(
            "t = tarfile.open('a.tar', 'w')", "i = tarfile.TarInfo('x')", entry,
            "t.addfile(i, io.BytesIO(b'x' * i.size))", "t.close()")
    }

    @Test(
        "what would lead out of the directory, or is neither file nor directory, is refused",
        arguments: [
            (tar("i.name = '../x'; i.size = 1"), "leads out"), (tar("i.name = '/tmp/x'; i.size = 1"), "leads out"),
            (tar("i.name = 'a/../../x'; i.size = 1"), "leads out"),
            (tar("i.type = tarfile.SYMTYPE; i.linkname = '/etc'"), "links"),
            (tar("i.type = tarfile.SYMTYPE; i.linkname = '../..'"), "links"),
            (tar("i.type = tarfile.SYMTYPE; i.linkname = 'nothing'"), "links"),
            (tar("i.name = '../x'; i.type = tarfile.SYMTYPE; i.linkname = 'x'"), "leads out"),
            (
                "mkdir -p d/e && ln -s . d/e/self && ln -s self/../../.. d/e/out && tar -cf a.tar d",
                "links"
            ),
            (tar("i.type = tarfile.LNKTYPE; i.linkname = '/etc/passwd'"), "links"),
            (tar("i.type = tarfile.FIFOTYPE"), "devices"), (tar("i.type = tarfile.CHRTYPE"), "devices"),
            ("echo this is no archive >a.tar", "tar has failed"),
        ])
    func hostile(script: String, expected: String) async throws {
        let result = try await run("a.tar", made: script, command: "true")
        guard case .failure(let reason) = result else {
            Issue.record("it was unpacked")
            return
        }
        #expect(reason.description.contains(expected), "\(reason)")
    }

    @Test("links within an archive stay links, and belong to who runs the command")
    func links() async throws {
        let script =
            Self.tree + "ln -s ../e/g d/e/h && ln -s d/f one && ln -s d dir && ln -s one two && "
            + "tar -cf a.tar d one two dir"
        let command = "cat two dir/f; d/e/h; readlink two d/e/h; stat -c %U two"
        let result = try await run("a.tar", made: script, command: command)
        let me = String(cString: getpwuid(geteuid()).pointee.pw_name)
        #expect(try result.get() == "one\none\ntwo\none\n../e/g\n\(me)\n")
    }

    @Test("a file is not put through a link that an archive has brought")
    func throughLink() async throws {
        let source = try Scratch()
        try shell("mkdir -p d && ln -s d l && tar -cf a.tar d l && echo x >x", in: source.path)
        var settings = ArtifactSettings()
        settings.fileDirectories = [source.path]
        let archive = Artifact(uri: "file://\(source.path)/a.tar")
        var file = Artifact(uri: "file://\(source.path)/x")
        file.outputFile = "l/x"
        let offer = sampleOffer("through", command: "true", artifacts: [archive, file])
        try await onLoop { [settings] loop in
            let machine = try Machine(loop: loop, scratch: try Scratch(), artifacts: settings)
            defer { machine.client.close() }
            do {
                _ = try await machine.run(offer)
                Issue.record("it was put there")
            } catch {
                #expect("\(error)".contains("is no directory"), "\(error)")
            }
        }
    }

    @Test("an archive that wants gigabytes of memory to be expanded is refused")
    func dictionary() async throws {
        // The block header, behind the 12 bytes of the stream's, says in one byte how large the dictionary is.
        let script = Self.python(
            "import lzma, zlib, struct", "x = bytearray(lzma.compress(b'x' * 100))", "n = (x[12] + 1) * 4",
            "assert x[14:16] == bytes([0x21, 1])", "x[16] = 40",
            "x[12 + n - 4:12 + n] = struct.pack('<I', zlib.crc32(bytes(x[12:12 + n - 4])))",
            "open('f.xz', 'wb').write(x)")
        let result = try await run("f.xz", made: script, command: "true")
        guard case .failure(let reason) = result else {
            Issue.record("it was unpacked")
            return
        }
        #expect(reason.description.lowercased().contains("memory"), "\(reason)")
    }

    @Test("links and ways out are refused in zip files too")
    func hostileZip() async throws {
        let link = Self.python(
            "z = zipfile.ZipFile('a.zip', 'w')", "i = zipfile.ZipInfo('x')",
            "i.create_system = 3; i.external_attr = (stat.S_IFLNK | 0o777) << 16", "z.writestr(i, '/etc/passwd')",
            "z.close()")
        let escape = Self.python("z = zipfile.ZipFile('a.zip', 'w')", "z.writestr('../x', 'x')", "z.close()")
        for (script, expected) in [(link, "link"), (escape, "leads out"), ("echo no >a.zip", "unzip has failed")] {
            let result = try await run("a.zip", made: script, command: "true")
            guard case .failure(let reason) = result else {
                Issue.record("it was unpacked")
                return
            }
            #expect(reason.description.contains(expected), "\(reason)")
        }
    }

    @Test("set-user-id bits do not survive, whoever packed them")
    func rights() async throws {
        let result = try await run("a.tar", made: Self.tar("i.mode = 0o6777; i.size = 1"), command: "stat -c %a x")
        #expect(try result.get() == "700\n")
    }

    @Test("what unpacks to more than the limit is stopped", arguments: ["a.tar.gz", "f.gz", "a.tar.xz"])
    func bombs(name: String) async throws {
        let script =
            "head -c 300000000 /dev/zero >f && tar -czf a.tar.gz f && tar -c f | xz -0 >a.tar.xz && gzip f"
        var settings = ArtifactSettings()
        settings.unpackedLimit = 50_000_000
        let result = try await run(name, made: script, command: "true", settings: settings)
        guard case .failure(let reason) = result else {
            Issue.record("it was unpacked")
            return
        }
        #expect(reason.description.contains("unpacks to more"), "\(reason)")
    }
}
