import Foundation

/// Hosts for a test: each has a network namespace, an address and a cable to one bridge, and can be cut off from others.
///
/// All of it lies in namespaces (network and mount) of a shell that the test starts, so that nothing of the machine's own
/// interfaces, routes and rules is touched, and that nothing is left once the shell and what runs on the hosts have
/// ended, however that came about. A host that is cut off from another one believes it to be at an address of the
/// link layer that nobody has: what it sends there vanishes without a word, connections that exist included.
///
/// `@unchecked Sendable`: the shell is told one order at a time, under a lock; the rest never changes.
final class TestNetwork: @unchecked Sendable {
    /// Why there can be none on this machine; nil if there can.
    static let obstacle: String? = {
        do {
            _ = try TestNetwork(hosts: ["probe"])
            return nil
        } catch { return "\(error)" }
    }()
    static let range = "10.77.0.0/24"
    /// The host on which the test itself is.
    static let client = "client"

    private let hosts: [String]
    private let keeper: ChildProcess
    private let orders: Int32
    private let answers: Int32
    private let turn = NSLock()

    /// - Parameter hosts: their names; `client` is one more.
    init(hosts: [String]) throws {
        self.hosts = [Self.client] + hosts
        let orders = try ChildProcess.makePipe()
        let answers = try ChildProcess.makePipe()
        self.orders = orders.write
        self.answers = answers.read
        // Once they are closed here, their end can be seen.
        defer { close(orders.read) }
        do {
            defer { close(answers.write) }
            keeper = try ChildProcess(
                "/usr/bin/env", ["unshare", "--net", "--mount", "/bin/sh", "-c", Self.script, "network"] + self.hosts,
                environment: Executable.environment([:]), descriptors: [orders.read, answers.write, answers.write])
        }
        let answer = readLine()
        guard answer == "ready" else {
            throw Cluster.Failure(description: "no network namespaces can be made here: \(answer)")
        }
    }

    deinit {
        close(orders)
        close(answers)
        keeper.waitForEnd()
    }

    /// Makes the hosts and then does what it is told, until it is told no more.
    private static let script = """
        exec 2>&1
        make() {
            mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up || return 1
            ip link add hub type bridge && ip link set hub up || return 1
            number=0
            for host in "$@"; do
                number=$((number + 1))
                ip netns add $host && ip link add cable$number type veth peer name eth0 netns $host || return 1
                ip link set cable$number master hub up && ip -n $host link set lo up || return 1
                ip -n $host link set eth0 address $(printf 02:00:00:00:00:%02x $number) || return 1
                ip -n $host address add 10.77.0.$number/24 dev eth0 && ip -n $host link set eth0 up || return 1
            done
        }
        made=$(make "$@") && echo ready || { echo $made; exit 1; }
        while read -r order; do
            said=$(eval "$order") && echo done || echo "failed: "$said
        done
        """

    private func number(_ host: String) throws -> Int {
        guard let position = hosts.firstIndex(of: host) else {
            throw Cluster.Failure(description: "the network has no host \(host)")
        }
        return position + 1
    }

    func address(_ host: String) throws -> String { "10.77.0.\(try number(host))" }

    private func place(_ host: String) -> String { "/proc/\(keeper.pid)/root/run/netns/\(host)" }

    /// Words before those of a command that is to run on the host.
    func wrapper(_ host: String) -> [String] { ["nsenter", "--net=" + place(host)] }

    // MARK: Faults

    /// Cuts all of the first off from all of the others, in both directions.
    func cut(_ some: [String], from others: [String]) throws {
        try change(some.map { ($0, others) } + others.map { ($0, some) }, isCut: true)
    }

    /// Cuts a host off from all others but the test's own.
    func isolate(_ host: String) throws {
        try cut([host], from: hosts.filter { $0 != host && $0 != Self.client })
    }

    /// What the host sends to the other one gets lost; what it is sent arrives.
    func mute(_ host: String, toward other: String) throws { try change([(host, [other])], isCut: true) }

    func heal() throws {
        try change(hosts.map { host in (host, hosts.filter { $0 != host }) }, isCut: false)
    }

    private func change(_ links: [(from: String, to: [String])], isCut: Bool) throws {
        for link in links {
            let lines = try link.to.map { other in
                let number = try number(other)
                let hardware = isCut ? "02:ff:00:00:00:00" : String(format: "02:00:00:00:00:%02x", number)
                return "neigh replace 10.77.0.\(number) lladdr \(hardware) nud permanent dev eth0\\n"
            }
            try order("printf '\(lines.joined())' | ip -n \(link.from) -batch -")
        }
    }

    private func order(_ text: String) throws {
        turn.lock()
        defer { turn.unlock() }
        let bytes = Array((text + "\n").utf8)
        guard write(orders, bytes, bytes.count) == bytes.count else {
            throw Cluster.Failure(description: "the network's shell has ended")
        }
        let answer = readLine()
        guard answer == "done" else { throw Cluster.Failure(description: "'\(text)': \(answer)") }
    }

    private func readLine() -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(answers, &byte, 1) == 1, byte != 10 { line.append(byte) }
        return String(decoding: line, as: UTF8.self)
    }

    // MARK: The test's own host

    /// A TCP socket of the client's host, for any thread: a socket belongs to the network of the thread that made it.
    /// That thread is one of its own, since threads that it started would belong there too.
    func socket() throws -> Int32 {
        let result = SocketResult()
        let place = place(Self.client)
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            result.descriptor = Self.makeSocket(in: place)
            done.signal()
        }
        done.wait()
        guard result.descriptor >= 0 else { throw Cluster.Failure(description: "no socket on the client's host") }
        return result.descriptor
    }

    /// Written by one thread before the other one is told: that is the reason for `@unchecked Sendable`.
    private final class SocketResult: @unchecked Sendable { var descriptor: Int32 = -1 }

    private static func makeSocket(in place: String) -> Int32 {
        // Not among what Glibc's module shows.
        guard let symbol = dlsym(nil, "setns") else { return -1 }
        let setns = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
        let namespace = open(place, O_RDONLY | O_CLOEXEC)
        defer { close(namespace) }
        guard namespace >= 0, setns(namespace, 0x4000_0000 /* CLONE_NEWNET */) == 0 else { return -1 }
        return Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }
}
