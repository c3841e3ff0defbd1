import Domain
import Execution
import Foundation
import HTTPTransport
import Runtime
import Synchronization
import Testing

@testable import Outbound

@Suite("FTP")
struct FTPTests {
    @Test("a file comes by FTP, goes on where a transfer broke off, and is kept by its date")
    func download() async throws {
        let files = try Scratch()
        try files.write(String(repeating: "0123456789", count: 5000), to: "data")
        let server = try FTPServer(directory: files.path, breaksAfter: 20_000)
        let uri = "ftp://127.0.0.1:\(server.port)/data"
        try await onLoop { loop in
            let machine = try Machine(loop: loop, scratch: try Scratch())
            defer { machine.client.close() }
            for (run, expected) in [("ftp1", "50000 bytes, 0"), ("ftp2", "kept here")] {
                var artifact = Artifact(uri: uri)
                artifact.mayBeCached = true
                let (_, log) = try await machine.run(
                    sampleOffer(run, command: "wc -c <data; cut -c1-10 <data", artifacts: [artifact]))
                #expect(log.hasSuffix("50000\n0123456789\n") && log.contains(expected), "\(log)")
            }
            let reason = await machine.refusal(sampleOffer("ftp3", artifacts: [Artifact(uri: uri + "-none")]))
            #expect(reason.contains("data-none"), "\(reason)")
        }
        let commands = server.commands
        #expect(commands.contains("REST 20000"))
        #expect(commands.filter { $0.hasPrefix("RETR data") && $0.hasSuffix("data") }.count == 2)
    }
}

/// A small FTP server in Python, for one file at a time.
private final class FTPServer: Sendable {
    let port: Int
    private let process: Mutex<Process>
    private let log: String

    init(directory: String, breaksAfter: Int) throws {
        log = directory + "/commands"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-u", "-c", Self.script, directory, String(breaksAfter), log]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        var line = ""
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 {
            line.unicodeScalars.append(Unicode.Scalar(byte))
        }
        guard let port = Int(line) else { throw Unmet(description: "the FTP server did not start: \(line)") }
        self.port = port
        self.process = Mutex(process)
    }

    deinit {
        process.withLock { process in
            // Signals that can be blocked are, in some threads that start processes.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    var commands: [String] {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    private static let script = """
        import os, socket, sys, threading, time
        root, breaks, log = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], 'a')
        listener = socket.create_server(('127.0.0.1', 0))
        print(listener.getsockname()[1])
        def serve(control):
            global breaks
            lines = control.makefile('r', newline='\\r\\n')
            say = lambda text: control.sendall((text + '\\r\\n').encode())
            data, rest = None, 0
            say('220 ready')
            for line in lines:
                line = line.strip()
                log.write(line + '\\n'); log.flush()
                word, _, argument = line.partition(' ')
                path = os.path.join(root, os.path.basename(argument))
                if word in ('USER',): say('331 password')
                elif word in ('PASS',): say('230 in')
                elif word == 'PWD': say('257 "/"')
                elif word in ('TYPE', 'CWD'): say('250 done')
                elif word == 'EPSV':
                    data = socket.create_server(('127.0.0.1', 0))
                    say('229 entering (|||%d|)' % data.getsockname()[1])
                elif word in ('SIZE', 'MDTM', 'RETR') and not os.path.exists(path): say('550 no such file: ' + argument)
                elif word == 'SIZE': say('213 %d' % os.path.getsize(path))
                elif word == 'MDTM': say('213 ' + time.strftime('%Y%m%d%H%M%S', time.gmtime(os.path.getmtime(path))))
                elif word == 'REST': rest = int(argument); say('350 from there')
                elif word == 'RETR':
                    say('150 coming')
                    connection, _ = data.accept()
                    content = open(path, 'rb').read()[rest:]
                    rest = 0
                    if breaks:
                        connection.sendall(content[:breaks]); breaks = 0; connection.close(); control.close(); return
                    connection.sendall(content); connection.close()
                    say('226 done')
                elif word == 'QUIT': say('221 bye'); return
                else: say('502 no')
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        """
}
