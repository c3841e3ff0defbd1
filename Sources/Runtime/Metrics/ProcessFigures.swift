import Glibc

/// What this process uses, as the kernel tells it. Reads two small files and a folder of /proc.
public struct ProcessFigures: Sendable {
    public var residentBytes = 0.0
    public var cpuSeconds = 0.0
    /// Nil where it cannot be read.
    public var openDescriptors: Int?
    public var descriptorLimit: Int?
    /// Of the Unix epoch; nil where it cannot be told.
    public var startedAt: Double?

    public static func now() -> ProcessFigures {
        var figures = ProcessFigures()
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        // The name of the process, in parentheses, may hold anything.
        let stat = HostFacts.smallFile("/proc/self/stat")
        let fields = (stat.lastIndex(of: ")").map { stat[stat.index(after: $0)...] } ?? "").split(separator: " ")
        if fields.count > 21 {
            // proc(5): fields 14, 15 (times), 22 (start), 24 (resident pages); these begin with field 3.
            figures.cpuSeconds = ((Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0)) / ticks
            figures.residentBytes = (Double(fields[21]) ?? 0) * Double(max(1, sysconf(Int32(_SC_PAGESIZE))))
            if let started = Double(fields[19]), let boot = bootSeconds() { figures.startedAt = boot + started / ticks }
        }
        figures.openDescriptors = countDescriptors()
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            figures.descriptorLimit = Int(clamping: limit.rlim_cur)
        }
        return figures
    }

    private static func bootSeconds() -> Double? {
        let lines = HostFacts.smallFile("/proc/stat", limit: 1 << 20).split(separator: "\n")
        return lines.first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
    }

    private static func countDescriptors() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // ".", ".." and the descriptor of the folder itself.
        return max(0, count - 3)
    }
}

extension MetricsPage {
    /// Under the names that Prometheus' own client libraries use.
    public mutating func add(_ process: ProcessFigures) {
        add("process_resident_memory_bytes", .gauge, "Resident memory of this process.", process.residentBytes)
        add("process_cpu_seconds_total", .counter, "Processor time of this process.", process.cpuSeconds)
        if let open = process.openDescriptors { add("process_open_fds", .gauge, "Open files.", Double(open)) }
        if let limit = process.descriptorLimit {
            add("process_max_fds", .gauge, "Files that may be open.", Double(limit))
        }
        if let started = process.startedAt {
            add("process_start_time_seconds", .gauge, "Start of this process, seconds since 1970.", started)
        }
    }
}
