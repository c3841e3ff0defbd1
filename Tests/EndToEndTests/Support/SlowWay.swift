import Foundation
import TestSupport

/// A way to a TCP server of this machine on which everything that is sent to the server takes longer, as much longer as
/// the test says. What is sent together arrives together.
///
/// `@unchecked Sendable`: nothing of it changes; the process is only waited for, by the last who holds it.
final class SlowWay: @unchecked Sendable {
    let port: Int
    private let process: ChildProcess
    private let orders: Int32

    private static let program = """
        import asyncio, sys
        target, port, delay = int(sys.argv[1]), int(sys.argv[2]), 0.0

        async def carry(reader, writer, waits):
            loop, queue = asyncio.get_running_loop(), asyncio.Queue()
            async def deliver():
                while True:
                    moment, data = await queue.get()
                    if moment > loop.time(): await asyncio.sleep(moment - loop.time())
                    if not data: break
                    writer.write(data)
                    await writer.drain()
                writer.close()
            task = loop.create_task(deliver())
            try:
                while True:
                    data = await reader.read(65536)
                    queue.put_nowait((loop.time() + (delay if waits else 0), data))
                    if not data: break
                await task
            except OSError:
                task.cancel()
                writer.close()

        async def serve(reader, writer):
            try:
                there, back = await asyncio.open_connection('127.0.0.1', target)
            except OSError:
                return writer.close()
            await asyncio.gather(carry(reader, back, True), carry(there, writer, False), return_exceptions=True)

        async def main():
            global delay
            server = await asyncio.start_server(serve, '127.0.0.1', port)
            print('ready', flush=True)
            loop, orders = asyncio.get_running_loop(), asyncio.StreamReader()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
            while True:
                line = await orders.readline()
                if not line: return
                delay = float(line)

        asyncio.run(main())
        """

    init(to target: Int) throws {
        port = try FreePort.find()
        let orders = try ChildProcess.makePipe()
        let answers = try ChildProcess.makePipe()
        defer {
            close(orders.read)
            close(answers.read)
        }
        do {
            defer { close(answers.write) }
            process = try ChildProcess(
                "/usr/bin/env", ["python3", "-c", Self.program, String(target), String(port)],
                environment: Executable.environment([:]), descriptors: [orders.read, answers.write, 2])
        }
        self.orders = orders.write
        // The whole line: it may be written in pieces, and none may meet a closed end.
        var byte: UInt8 = 0
        while byte != 10 {
            guard read(answers.read, &byte, 1) == 1 else {
                throw Cluster.Failure(description: "the slow way to port \(target) cannot be made")
            }
        }
    }

    deinit {
        close(orders)
        process.waitForEnd()
    }

    /// For what is sent from now on.
    func set(delay seconds: Double) throws {
        let line = Array("\(seconds)\n".utf8)
        guard write(orders, line, line.count) == line.count else {
            throw Cluster.Failure(description: "the slow way has ended")
        }
    }
}
