import Domain
import Testing

@testable import Coordination

@Suite("Marks of what is stored")
struct MarkTests {
    @Test("a mark stands until something is defined anew, and none is given while that is being written")
    func definitions() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            #expect(stage.leader.definitionsMark == nil && stage.leader.jobsMark == nil)
            let office = try await stage.begin()
            try await stage.worker("w1")
            try await stage.put("a")
            let before = try #require(stage.leader.definitionsMark)
            #expect(stage.leader.definitionsMark == before)
            stage.store.shut()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await stage.put("b") }
                try await loop.until { stage.store.inFlight == 1 }
                #expect(stage.leader.definitionsMark == nil && stage.leader.jobsMark == nil)
                stage.store.open()
                try await group.waitForAll()
            }
            let after = try #require(stage.leader.definitionsMark)
            #expect(after != before)
            _ = try await stage.leader.submit(.setScheduling(isEnabled: false))
            #expect(stage.leader.definitionsMark != after)
            office.cancel()
            await office.value
            #expect(stage.leader.definitionsMark == nil)
        }
    }

    @Test("runs change the mark of jobs, whose counters they move, but not that of definitions")
    func runs() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let office = try await stage.begin()
            try await stage.put("a")
            let definitions = try #require(stage.leader.definitionsMark)
            let jobs = try #require(stage.leader.jobsMark)
            _ = try await stage.leader.submit(.markSuccess(.name("a")))
            #expect(stage.leader.definitionsMark == definitions && stage.leader.jobsMark != jobs)
            office.cancel()
            await office.value
        }
    }
}
