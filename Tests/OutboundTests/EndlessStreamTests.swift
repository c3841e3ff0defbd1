import Domain
import HTTPTransport
import Runtime
import TestSupport
import Testing

@testable import Execution
@testable import Outbound

/// An engine whose streams do not end with the container, as podman's sometimes do not.
private struct EndlessEngine: ContainerEngine {
    let engine: DockerEngine

    func output(
        of container: String, follows: Bool, receive: nonisolated(nonsending) @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        try await engine.output(of: container, follows: follows) { bytes in
            // Of what comes last nothing is told while it is followed.
            if !follows || !bytes.contains(UInt8(ascii: "2")) { try await receive(bytes) }
        }
        if follows { try await WakeUp().wait() }
    }

    func hasImage(_ image: String) async throws -> Bool { try await engine.hasImage(image) }
    func pull(_ image: String, limit: Duration) async throws { try await engine.pull(image, limit: limit) }
    func makeVolume(_ volume: ContainerSpec.External) async throws { try await engine.makeVolume(volume) }
    func create(_ order: ContainerOrder) async throws -> String { try await engine.create(order) }
    func start(_ container: String) async throws { try await engine.start(container) }
    func state(of container: String) async throws -> ContainerState? { try await engine.state(of: container) }
    func wait(for container: String) async throws { try await engine.wait(for: container) }
    func stop(_ container: String, grace: Duration) async throws { try await engine.stop(container, grace: grace) }
    func kill(_ container: String) async throws { try await engine.kill(container) }
    func remove(_ container: String) async throws { try await engine.remove(container) }
    func containers(label: String, value: String) async throws -> [FoundContainer] {
        try await engine.containers(label: label, value: value)
    }
}

@Suite(
    "Containers whose output never ends", .serialized,
    .enabled(if: Podman.obstacle == nil, Comment(rawValue: Podman.obstacle ?? "")))
struct EndlessStreamTests {
    @Test("when the container has ended, its output is read anew, and is whole")
    func readAnew() async throws {
        let podman = try Podman.shared()
        try await onLoop { loop in
            let client = HTTPClient(loop: loop)
            defer { client.close() }
            let (engine, _) = try await DockerEngine.connect(socket: podman.socket, client: client)
            let machine = try Machine(loop: loop, scratch: try Scratch(), engine: EndlessEngine(engine: engine))
            defer { machine.client.close() }
            var spec = ContainerSpec(image: Podman.image)
            spec.network = .host
            let offer = sampleOffer("cendless1", command: "echo 1; sleep 0.3; echo 2", container: spec)
            let (end, log) = try await machine.run(offer)
            #expect(end.status == .exited(code: 0) && end.outputProblem == nil)
            #expect(log == "1\n2\n", "\(log)")
            await machine.launcher.tidy()
        }
    }
}
