// Tests of what a worker asks of the world: downloads from real servers on this machine, and a real container engine.

import Domain
import Foundation
import HTTP
import HTTPTransport
import Runtime
import Synchronization
import Testing
import Timetable

@testable import Execution
@testable import Outbound

struct Unmet: Error, CustomStringConvertible {
    let description: String
}

/// Runs the body on a loop of its own.
func onLoop<T: Sendable>(_ body: @Sendable (EventLoop) async throws -> T) async throws -> T {
    let loop = try EventLoop.startThread(named: "test loop")
    defer { loop.stop() }
    return try await withTaskExecutorPreference(loop) { try await body(loop) }
}

/// A directory that is removed at the end.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = "/tmp/carillon-test-" + UUID().uuidString.lowercased()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: path)
    }

    deinit {
        // Nothing depends on it.
        try? FileManager.default.removeItem(atPath: path)
    }

    func text(_ file: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(file)")), as: UTF8.self)
    }

    func write(_ text: String, to file: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(file)"))
    }

    func names(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)")) ?? []).sorted()
    }
}

/// Runs a program to its end and gives its output. Blocks.
@discardableResult
func shell(_ command: String, in directory: String = "/", environment: [String: String] = [:]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let text = String(decoding: data, as: UTF8.self)
    guard process.terminationStatus == 0 else { throw Unmet(description: "'\(command)' failed: \(text)") }
    return text
}

func sampleOffer(
    _ run: String, command: String = "true", shell: Bool = true, arguments: [String] = [],
    environment: [EnvironmentVariable] = [], resources: Resources = Resources(cpus: 0.5, memory: 64, disk: 10),
    artifacts: [Artifact] = [], container: ContainerSpec? = nil
) -> Offer {
    var extras = OfferExtras()
    extras.artifacts = artifacts
    extras.container = container
    return Offer(
        attempt: AttemptID(run: RunID(run), number: 0), job: JobVersion(job: JobID("e1"), version: 1), jobName: "job",
        owner: "me@example.org", taskID: "ct:1800000000123:0:job:", due: Instant(milliseconds: 1_800_000_000_123),
        command: command, shell: shell, arguments: arguments, environment: environment, user: "", resources: resources,
        constraints: [], timeout: nil, startDeadline: nil, extras: extras)
}

/// A launcher as a worker has it, in a directory of its own.
struct Machine: Sendable {
    let loop: EventLoop
    let scratch: Scratch
    let launcher: HostLauncher
    let client: HTTPClient

    init(
        loop: EventLoop, scratch: Scratch, artifacts: ArtifactSettings = ArtifactSettings(),
        egress: EgressPolicy = EgressPolicy(), engine: (any ContainerEngine)? = nil,
        policy: ContainerPolicy = ContainerPolicy(hostPaths: .below([]))
    ) throws {
        self.loop = loop
        self.scratch = scratch
        client = HTTPClient(loop: loop)
        var settings = SpawnSettings(workDirectory: scratch.path + "/worker")
        settings.groups.isWanted = false
        launcher = HostLauncher(
            processes: try SpawnLauncher(settings, loop: loop, log: quiet), artifacts: artifacts,
            downloader: URLDownloader(client: client, egress: egress),
            containers: engine.map { ($0, ContainerSettings(policy: policy)) }, loop: loop, log: quiet)
    }

    /// Starts it, waits for its end, and gives that and the log.
    func run(_ offer: Offer, user: String = "") async throws -> (end: ProcessEnd, log: String) {
        let process = try await launcher.launch(LaunchOrder(offer: offer, user: user, hostName: "host-1"))
        let end = await process.ended()
        await process.discard()
        return (end, log(offer))
    }

    /// Why it was not started.
    func refusal(_ offer: Offer, user: String = "") async -> String {
        do {
            let (end, log) = try await run(offer, user: user)
            return "it was started: \(end) \(log)"
        } catch {
            return "\(error)"
        }
    }

    func log(_ offer: Offer) -> String {
        // Empty where nothing was written.
        let file = "worker/logs/\(offer.attempt.run)-\(offer.attempt.number).log"
        var text = (try? scratch.text(file)) ?? ""
        // A long one goes on in segments.
        for number in 1...9 { text += (try? scratch.text("\(file).\(number)")) ?? "" }
        return String(decoding: LogText.withoutHeader(Array(text.utf8)[...]), as: UTF8.self)
    }
}

let quiet = Log("test", minimum: .error)

func eventually(
    _ what: String, on loop: EventLoop, _ condition: @Sendable () async throws -> Bool
) async throws {
    let deadline = loop.monotonicNow.advanced(by: .seconds(120))
    while try await !condition() {
        guard loop.monotonicNow < deadline else { throw Unmet(description: "never came true: \(what)") }
        try await loop.sleep(for: .milliseconds(10))
    }
}
