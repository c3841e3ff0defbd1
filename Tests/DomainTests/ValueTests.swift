import Testing
import Timetable

@testable import Domain

@Suite struct ValueTests {
    @Test("a heap gives back what was put in, sorted, equal keys in their order", arguments: 0..<20)
    func heap(seed: UInt64) {
        var chance = Seeded(seed)
        var heap = MinHeap<Int, Int>()
        let keys = (0..<200).map { _ in Int.random(in: 0..<40, using: &chance) }
        for (number, key) in keys.enumerated() { heap.insert(number, at: key) }
        if seed % 2 == 1 { heap.removeAll { $0 % 3 == 0 } }
        let kept = keys.enumerated().filter { seed % 2 == 0 || $0.offset % 3 != 0 }
        let sorted = kept.sorted { ($0.element, $0.offset) < ($1.element, $1.offset) }.map(\.offset)
        var out: [Int] = []
        while let (_, value) = heap.removeFirst() { out.append(value) }
        #expect(out == sorted)
        #expect(heap.isEmpty && heap.first == nil)
    }

    @Test(
        "causes survive their text",
        arguments: [Cause.schedule(version: 3, index: -7), .manual(key: "a:b"), .parents(key: "r1")])
    func cause(_ cause: Cause) {
        #expect(Cause(text: cause.text) == cause)
    }

    @Test(
        "texts that are no causes are refused",
        arguments: ["", "s", "s:1", "s:1:2:3", "s:1:2:x", "s::1:2", "s:1:", "z:1"])
    func noCause(_ text: String) {
        #expect(Cause(text: text) == nil)
    }

    @Test("task ids are taken apart")
    func taskID() {
        let task = TaskID("ct:1420843781398:2:my job:a:b")
        #expect(task?.dueMilliseconds == 1_420_843_781_398 && task?.attempt == 2 && task?.jobName == "my job")
        #expect(TaskID("ct:1:0:a")?.jobName == "a")
        for bad in ["", "xct:1:0:a:", "ct:x:0:a:", "ct:1::a:", "ct:1:0"] { #expect(TaskID(bad) == nil) }
    }

    @Test("identifiers grow, and those of a later term come after")
    func identifiers() {
        var first = IdentifierSource(term: Term(timeline: 1, epoch: 35))
        var second = IdentifierSource(term: Term(timeline: 1, epoch: 36))
        let ids = (0..<40).map { _ in first.run() } + [second.run()]
        #expect(ids == ids.sorted() && Set(ids).count == 41)
        #expect(ids.allSatisfy { $0.rawValue.count <= 32 })
    }

    @Test("nothing leaves a terminal state, and nothing becomes what it is not")
    func states() {
        for state in RunState.allCases where state.isTerminal {
            #expect(RunState.allCases.allSatisfy { !state.mayBecome($0) })
        }
        for state in RunState.allCases where !state.isTerminal {
            #expect(state.mayBecome(.aborted) && !state.mayBecome(state))
        }
        #expect(!RunState.queued.mayBecome(.started) && !RunState.waiting.mayBecome(.started))
    }

    @Test("the standard times of the election are safe, and unsafe ones are named")
    func election() {
        var constants = ElectionConstants()
        #expect(constants.defect == nil)
        constants.trust = .seconds(5)
        #expect(constants.defect?.contains("trust") == true)
        constants = ElectionConstants()
        constants.heartbeat = .seconds(2)
        #expect(constants.defect != nil)
    }
}
