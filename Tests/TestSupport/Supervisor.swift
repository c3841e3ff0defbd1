import Foundation
import Synchronization

/// The shell that starts, stops and finally removes one server.
final class Supervisor: Sendable {
    let directory: String

    /// `FileHandle` and `Process` are not sendable; they are used under the lock only.
    private struct Pipes: @unchecked Sendable {
        let process: Process
        let orders: FileHandle
        let answers: FileHandle
    }

    private let pipes: Mutex<Pipes>

    init(port: Int, settings: [String], wrapper: [String] = [], trusted: String = "") throws {
        directory = NSTemporaryDirectory() + "carillon-test-\(UUID().uuidString.prefix(8))"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            wrapper + ["/bin/sh", "-c", Self.script, "supervisor", directory, String(port), trusted] + settings
        let orders = Pipe()
        let answers = Pipe()
        // Another child that held the pipe open would keep the server alive.
        for handle in [orders.fileHandleForWriting, answers.fileHandleForReading] {
            _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
        }
        process.standardInput = orders
        process.standardOutput = answers
        process.standardError = FileHandle.nullDevice
        try process.run()
        pipes = Mutex(
            Pipes(
                process: process, orders: orders.fileHandleForWriting, answers: answers.fileHandleForReading))
        try awaitAnswer("initdb and start")
    }

    deinit {
        pipes.withLock { pipes in
            // Closing can only fail for a handle that is closed already.
            try? pipes.orders.close()
            pipes.process.waitUntilExit()
        }
    }

    func order(_ command: String) throws {
        try pipes.withLock { try $0.orders.write(contentsOf: Data("\(command)\n".utf8)) }
        try awaitAnswer(command)
    }

    private func awaitAnswer(_ command: String) throws {
        let answer = pipes.withLock { pipes in
            var line = Data()
            // An error of the pipe is the end of the answer, as its end is: what is missing shows below.
            while let byte = try? pipes.answers.read(upToCount: 1), let first = byte.first, first != 10 {
                line.append(first)
            }
            return String(decoding: line, as: UTF8.self)
        }
        guard answer == "done" else {
            throw TestPostgres.Failure(
                description: "PostgreSQL: \(command) failed: \(answer) (see \(directory)/output)")
        }
    }

    /// Arguments: directory, port, addresses that are trusted, settings. Its end of input is the end of the test process.
    private static let script = """
        trap '' INT TERM HUP PIPE
        dir=$1; port=$2; trusted=$3; shift 3
        bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
        [ -n "$bin" ] || { echo "PostgreSQL is not installed (looked in /usr/lib/postgresql)"; exit 1; }
        mkdir -m 700 "$dir" || { echo "cannot make $dir"; exit 1; }
        as=
        if [ "$(id -u)" = 0 ]; then
            chown postgres "$dir"; as="setpriv --reuid=postgres --regid=postgres --init-groups --"
        fi
        cd "$dir"
        run() { $as "$@" </dev/null >>"$dir/output" 2>&1; }
        : >"$dir/output"; chmod 666 "$dir/output"
        run "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \\
            || { echo "initdb: $(tail -1 "$dir/output")"; rm -rf "$dir"; exit 1; }
        {
            echo "listen_addresses = '127.0.0.1'"; echo "port = $port"
            echo "unix_socket_directories = '$dir'"; echo "max_connections = 200"
            echo "fsync = off"; echo "synchronous_commit = off"; echo "full_page_writes = off"
            echo "shared_buffers = 64MB"; echo "max_wal_size = 256MB"; echo "log_line_prefix = '%m [%p] %a '"
            for setting in "$@"; do echo "$setting"; done
        } >>"$dir/data/postgresql.conf"
        sed -i '1i host all secured 127.0.0.1/32 scram-sha-256' "$dir/data/pg_hba.conf"
        if [ -n "$trusted" ]; then
            echo "listen_addresses = '*'" >>"$dir/data/postgresql.conf"
            echo "host all all $trusted trust" >>"$dir/data/pg_hba.conf"
        fi
        # Only used where the settings turn TLS on.
        case "$*" in *"ssl = on"*)
            run openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 2 \\
                -keyout "$dir/data/server.key" -out "$dir/data/server.crt" || echo "openssl failed" >>"$dir/output" ;;
        esac
        # A child of this shell, which reaps it: a zombie's number in postmaster.pid would keep it from starting again.
        start() {
            $as "$bin/postgres" -D "$dir/data" </dev/null >>"$dir/output" 2>&1 &
            server=$!
            tries=0
            until "$bin/pg_isready" -q -U postgres -h "$dir" -p "$port"; do
                kill -0 $server 2>/dev/null || return 1
                tries=$((tries + 1)); [ $tries -lt 1200 ] || return 1
                sleep 0.05
            done
        }
        # Every process of the server is a group of its own. Stopped, the server makes no more of them; one that has ended
        # by itself meanwhile is no failure.
        each() {
            kill -s STOP $server || return
            kill -s "$1" $(cat /proc/$server/task/$server/children) 2>/dev/null
            kill -s "$1" $server
        }
        ended() { wait $server; true; }
        stop() { kill -s "$1" $server && ended; }
        crash() { each KILL && ended; }
        answer() { if "$@"; then echo done; else echo "status $?: $(tail -1 "$dir/output")"; fi; }
        answer start
        while read -r order; do
            case $order in
                start) answer start ;;
                stop) answer stop INT ;;
                kill) answer crash ;;
                freeze) answer each STOP ;;
                thaw) answer each CONT ;;
                *) echo "unknown order $order" ;;
            esac
        done
        each CONT 2>/dev/null
        stop QUIT 2>/dev/null
        rm -rf "$dir"
        """
}
