import Domain
import JSON
import Operations

/// The scheduler's switch (cronicle.md §2.12).
struct StateCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    var all: [Call] {
        [
            Call("get_master_state") { context in
                _ = try await context.authenticate()
                return ["state": .object(try await Self.state(dependencies))]
            },
            Call("update_master_state") { try await update($0) },
        ]
    }

    /// `enabled` as it was last sent, as long as that is still so.
    static func state(_ dependencies: CronicleDependencies) async throws -> JSONObject {
        let isEnabled = try await dependencies.events.catalogue().isSchedulingEnabled
        let sent = try await dependencies.events.setting(Self.setting).flatMap(JSONValue.read)
        let enabled = sent.flatMap { $0.isTruthy == isEnabled ? $0 : nil } ?? .bool(isEnabled)
        return ["enabled": enabled]
    }

    private static let setting = "cronicle.state.enabled"

    /// Only `enabled` is changed, whatever else is sent.
    private func update(_ context: CallContext) async throws -> JSONObject {
        let principal = try await context.require(.stateUpdate)
        guard let enabled = context.values["enabled"] else { return [:] }
        try await dependencies.events.setScheduling(principal, isEnabled: enabled.isTruthy)
        try await dependencies.events.set(Self.setting, to: enabled.scriptType == "object" ? "null" : enabled.text)
        await dependencies.activity.record(
            "state_update", by: principal, from: context.request.remoteAddress, ["enabled": enabled])
        return [:]
    }
}
