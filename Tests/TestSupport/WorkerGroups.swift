import Foundation

/// The control groups of workers that a test has killed, and that nobody starts again: a worker that ends in order
/// removes its own.
public enum WorkerGroups {
    /// Removes the empty groups of the worker with this directory, beside the test's own group in every hierarchy.
    /// Groups with processes in them stay.
    public static func remove(ofWorkerIn directory: String) {
        for parent in parents {
            let group = "\(parent)/carillon-\(mark(of: directory))"
            // Most workers have none left.
            for run in (try? FileManager.default.contentsOfDirectory(atPath: group)) ?? [] { rmdir("\(group)/\(run)") }
            rmdir(group)
        }
    }

    /// What tells the groups of workers on one machine apart: `WorkDirectory.mark`, FNV-1a of the directory's path.
    private static func mark(of directory: String) -> String {
        let hash = directory.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Where workers that the test starts make their groups: its own group, in each hierarchy of this machine.
    private static let parents: [String] = {
        // Not there on a system without control groups.
        let text = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
        var found: Set<String> = []
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let mounts =
                fields[1].isEmpty ? ["", "/unified"] : fields[1].split(separator: ",").map { "/\($0)" }
            for mount in mounts { found.insert("/sys/fs/cgroup\(mount)\(fields[2] == "/" ? "" : fields[2])") }
        }
        return found.sorted()
    }()
}
