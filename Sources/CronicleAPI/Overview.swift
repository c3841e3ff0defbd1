import Domain
import JSON
import Operations

extension CronicleDependencies {
    /// What a page is given when somebody logs in, as far as he may see it.
    func overview(_ principal: Principal) async throws -> JSONObject {
        let access = EventAccess(principal, try await events.catalogue())
        let shapes = try await JobShapes(self)
        var active = JSONObject()
        var queues = JSONObject()
        for record in try await runs.active() where access.maySee(record.definition) {
            active[record.run.id.rawValue] = .object(shapes.object(record))
            if record.run.state == .queued, record.definition.overlap == .queue {
                let event = record.run.job.job.rawValue
                queues[event] = .integer((queues[event]?.wholeNumber ?? 0) + 1)
            }
        }
        let selection = access.seesAll ? nil : access.selection(of: try await events.places())
        let schedule = try await events.jobs(limit: Page.maximum, of: selection)
        var overview: JSONObject = [
            "servers": .object(try await ServerCalls.servers(self)), "nearby": [:], "activeJobs": .object(active),
            "eventQueue": .object(queues), "state": .object(try await StateCalls.state(self)),
            "schedule": .array(schedule.map { .object(EventShape($0).object) }),
        ]
        for (key, kind) in [
            ("categories", CatalogueItem.Kind.category), ("plugins", .plugin), ("server_groups", .group),
        ] {
            overview[key] = .array(try await events.items(kind).map { .object(CatalogueShape.object($0)) })
        }
        return overview
    }
}
