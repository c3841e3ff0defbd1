import Glibc

/// The processes of a cluster, as /proc has them.
struct ProcessFacts: Sendable {
    var process: pid_t
    var parent: pid_t
    /// User and system time, with that of children it has waited for where those are wanted.
    var seconds: Double
    var words: [String]

    /// Resident memory in megabytes.
    static func residentMegabytes(_ process: pid_t) -> Double {
        guard let text = try? SmallFile.read("/proc/\(process)/statm") else { return .nan }  // it has ended
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Double(fields[1]) else { return .nan }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE))) / 1_048_576
    }

    static func read(_ process: pid_t) -> ProcessFacts? {
        // A process may end at any time.
        guard let stat = try? SmallFile.read("/proc/\(process)/stat"), let end = stat.lastIndex(of: ")"),
            let line = try? SmallFile.read("/proc/\(process)/cmdline")
        else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 13, let parent = pid_t(fields[1]), let user = Double(fields[11]),
            let system = Double(fields[12])
        else { return nil }
        return ProcessFacts(
            process: process, parent: parent, seconds: (user + system) / Double(sysconf(Int32(_SC_CLK_TCK))),
            words: line.split(separator: "\0").map(String.init))
    }

    static func all() -> [ProcessFacts] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var found: [ProcessFacts] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let process = pid_t(name), let facts = read(process) { found.append(facts) }
        }
        return found
    }
}

/// What CPU a cluster has used, in seconds.
struct ClusterCPU: Sendable {
    var leader = 0.0
    var followers = 0.0
    var workers = 0.0
    var database = 0.0

    static func - (later: Self, earlier: Self) -> Self {
        ClusterCPU(
            leader: later.leader - earlier.leader, followers: later.followers - earlier.followers,
            workers: later.workers - earlier.workers, database: later.database - earlier.database)
    }
}

extension Cluster {
    enum Role: String { case node, worker }

    /// Processes by their name, such as "node-1".
    func members(_ role: Role) -> [String: pid_t] {
        var members: [String: pid_t] = [:]
        for facts in ProcessFacts.all() where facts.parent == process && facts.words.dropFirst().first == role.rawValue
        {
            guard let option = facts.words.firstIndex(of: "--name"), facts.words.indices.contains(option + 1) else {
                continue
            }
            members[facts.words[option + 1]] = facts.process
        }
        return members
    }

    /// - Throws: `BenchError` when it does not run, or nobody leads.
    func leaderProcess() async throws -> pid_t {
        let name = "node-\(try await leaderPort() - options.port + 1)"
        guard let process = members(.node)[name] else { throw BenchError("\(name) does not run") }
        return process
    }

    func cpu() async throws -> ClusterCPU {
        let leader = try await leaderProcess()
        var cpu = ClusterCPU()
        let all = ProcessFacts.all()
        let server = all.first { $0.parent == process && ($0.words.first ?? "").hasSuffix("postgres") }?.process
        for facts in all {
            if facts.process == leader {
                cpu.leader += facts.seconds
            } else if facts.parent == process, facts.words.dropFirst().first == Role.node.rawValue {
                cpu.followers += facts.seconds
            } else if facts.parent == process, facts.words.dropFirst().first == Role.worker.rawValue {
                cpu.workers += facts.seconds
            } else if let server, facts.process == server || facts.parent == server {
                cpu.database += facts.seconds
            }
        }
        return cpu
    }
}
