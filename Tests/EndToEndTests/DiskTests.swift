import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// A worker whose disk is full, in a small file system of its own that nobody else sees.
    @Suite("A full disk", .serialized)
    struct DiskTests {
        private static let size = "512k"

        static let canMount: Bool = {
            (try? Executable.shell("unshare -m mount -t tmpfs -o size=64k tmpfs /mnt").status) == 0
        }()

        @Test(
            "a full disk at the worker fails the run and says so; with room again it runs",
            .enabled(if: DiskTests.canMount, "mounting a file system in a namespace of its own is not permitted here"))
        func fullDisk() async throws {
            try await onCluster { cluster in
                let folder = cluster.folder + "/worker-tiny"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                let script = #"mount -t tmpfs -o size=$0 tmpfs "$1"; shift; exec "$@""#
                let worker = try cluster.addWorker(
                    "worker-tiny", arguments: ["--attribute", "disk=tiny", "--disk", "1000"],
                    wrapper: ["unshare", "-m", "/bin/sh", "-euc", script, Self.size, folder])
                defer { worker.end() }
                try cluster.wait("worker-tiny is up") { try cluster.workerStates()["worker-tiny"] == "up" }
                let members: JSONObject = ["constraints": [["disk", "EQUALS", "tiny"]], "retries": 0]
                try cluster.put("on-tiny", command: "df -k . | tail -1; echo fine > here", members)
                func run(_ state: String, _ count: Int) throws -> JSONValue {
                    try cluster.leaderRequest("PUT", "/v1/scheduler/job/on-tiny")
                    return try cluster.waitForRun(of: "on-tiny", state, count: count)
                }
                #expect(try run("succeeded", 1)["worker"] == "worker-tiny")

                // As the worker sees it.
                let pid = try #require(worker.pid)
                let filler = "/proc/\(pid)/root\(folder)/filler"
                let filled = try Executable.shell("cat /dev/zero > \(filler) || true; stat -c %s \(filler)")
                try #require(filled.errors.contains("No space left"), "\(filled.errors)")
                let failed = try run("failed", 2)
                let reason = failed["attempts"]?.arrayValue?.last?["reason"]?.stringValue ?? ""
                #expect(reason.contains("No space left on device") || reason.contains("disk"), "\(failed.text)")
                #expect(try cluster.count("errorCount", of: "on-tiny") == 1)

                try FileManager.default.removeItem(atPath: filler)
                _ = try run("succeeded", 3)
            }
        }
    }
}
