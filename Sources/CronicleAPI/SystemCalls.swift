import Domain
import HTTP
import JSON
import Operations
import Timetable

/// Calls about the node itself, and the activity log.
struct SystemCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    var all: [Call] {
        [
            Call("ping", .anyNode) { _ in [:] },
            Call("echo", .anyNode) { try await echo($0) },
            Call("status", .anyNode, isFresh: true) { _ in status() },
            Call(raw: "config", .anyNode) { .response(config($0)) },
            Call("check_user_exists", .anyNode, isFresh: true) { try await checkUserExists($0) },
            Call("get_activity", .anyNode) { try await activity($0) },
        ]
    }

    /// Answers after a second, as Cronicle does: clients try their patience with it.
    private func echo(_ context: CallContext) async throws -> JSONObject {
        try await dependencies.system.pause(.seconds(1))
        return [
            "query": .object(context.parameters.query), "params": .object(context.parameters.body), "files": [:],
        ]
    }

    private func status() -> JSONObject {
        let facts = dependencies.system.facts
        let now = dependencies.clock.now()
        let lastTick = facts.lastTick ?? now
        return [
            "version": .string(facts.version), "node": .string("carillon"),
            "hostname": .string(dependencies.system.hostName), "ip": .string(facts.address),
            "pid": .integer(Int64(facts.process)), "now": now.epoch,
            "uptime": .integer(facts.uptime.components.seconds),
            "last_tick": lastTick.epoch,
            "tick_age": .number(Double(lastTick.duration(to: now).wholeMilliseconds) / 1_000),
            "cpu": ["user": .integer(facts.userMicroseconds), "system": .integer(facts.systemMicroseconds)],
            "mem": [
                "rss": .integer(facts.residentBytes), "heapTotal": .integer(facts.residentBytes),
                "heapUsed": .integer(facts.residentBytes), "external": 0, "arrayBuffers": 0,
            ],
        ]
    }

    /// A script, whatever is asked for: Cronicle's page loads it as one.
    private func config(_ context: CallContext) -> HTTPResponse {
        let facts = dependencies.system.facts
        let privileges: JSONValue = .array(
            [
                ("admin", "Administrator"), ("create_events", "Create Events"), ("edit_events", "Edit Events"),
                ("delete_events", "Delete Events"), ("run_events", "Run Events"), ("abort_events", "Abort Events"),
                ("state_update", "Toggle Scheduler"),
            ].map { ["id": .string($0.0), "title": .string($0.1)] })
        let config: JSONObject = [
            "code": 0, "version": .string(facts.version),
            "config": [
                "name": "Carillon", "debug": 0, "default_password_type": "password", "privilege_list": privileges,
                "new_event_template": [
                    "enabled": 1, "params": [:], "timing": ["minutes": [0]], "max_children": 1, "timeout": 3_600,
                    "catch_up": 0, "queue_max": 1_000,
                ], "job_memory_max": 0, "base_api_uri": "/api",
                "default_privileges": UserCalls.defaultPrivileges, "free_accounts": false, "external_users": 0,
                "external_user_api": "", "web_socket_use_hostnames": 0, "web_direct_connect": 0,
                "socket_io_transports": 0, "custom_live_log_socket_url": "",
            ],
            "port": .integer(Int64(facts.port)), "master_hostname": .string(facts.leaderHost),
            "servers": [
                dependencies.system.hostName: [
                    "hostname": .string(dependencies.system.hostName), "ip": .string(facts.address),
                ]
            ],
        ]
        return HTTPResponse(
            status: 200,
            headers: [
                "Content-Type": "text/javascript",
                "Cache-Control": "no-cache, no-store, must-revalidate, proxy-revalidate",
                "Expires": "Thu, 01 Jan 1970 00:00:00 GMT", "X-Content-Type-Options": "nosniff",
            ], body: .bytes(Array("app.receiveConfig(\(JSONValue.object(config).text));\n".utf8)))
    }

    private func checkUserExists(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("username", Validation.isHost)])
        _ = try await context.authenticate()
        let user = try await dependencies.accounts.find(context.text("username") ?? "")
        return ["user_exists": .bool(user != nil)]
    }

    private func activity(_ context: CallContext) async throws -> JSONObject {
        let principal = try await context.requireAdministrator()
        let page = Page(context, defaultLimit: 50)
        return try await page.rows { offset in
            let (entries, count) = try await dependencies.activity.page(principal, offset: offset, limit: page.limit)
            return (entries, count)
        }
    }
}
