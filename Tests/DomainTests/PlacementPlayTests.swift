import Testing
import Timetable

@testable import Domain

/// Which worker gets a run.
@Suite struct PlacementPlayTests {
    private func workers(of algorithm: PlacementAlgorithm, runs: Int = 4) throws -> [String] {
        let play = Play()
        for name in ["w1", "w2", "w3"] { play.worker(name, cpus: 100) }
        try play.job("a") {
            $0.algorithm = algorithm
            $0.overlap = .allow
        }
        for _ in 0..<runs { try play.run("a") }
        return play.offers.map(\.worker)
    }

    @Test("each algorithm chooses as it says")
    func algorithms() throws {
        #expect(try workers(of: .preferFirst) == ["w1", "w1", "w1", "w1"])
        #expect(try workers(of: .preferLast) == ["w3", "w3", "w3", "w3"])
        #expect(try workers(of: .roundRobin) == ["w1", "w2", "w3", "w1"])
        #expect(try workers(of: .spread) == ["w1", "w2", "w3", "w1"])
        #expect(try workers(of: .leastCPU) == ["w1", "w2", "w3", "w1"])
        #expect(Set(try workers(of: .random, runs: 60)) == ["w1", "w2", "w3"])
    }

    @Test("the preferred one that is full is passed over")
    func full() throws {
        let play = Play()
        play.worker("w1", cpus: 1)
        play.worker("w2", cpus: 1)
        try play.job("a") {
            $0.algorithm = .preferFirst
            $0.overlap = .allow
            $0.resources.cpus = 1
        }
        for _ in 0..<3 { try play.run("a") }
        #expect(play.offers.map(\.worker) == ["w1", "w2"])
        #expect(play.active("a").last?.state == .queued)
    }

    @Test(
        "the least loaded is the one whose runs say that they use least",
        arguments: [
            (PlacementAlgorithm.leastCPU, "w2"), (.leastMemory, "w1"),
        ])
    func leastLoaded(algorithm: PlacementAlgorithm, expected: String) throws {
        let play = Play()
        play.worker("w1")
        play.worker("w2")
        for name in ["w1", "w2"] { try play.job("on-\(name)") { $0.target = .named(name) } }
        let first = try play.run("on-w1")
        let second = try play.run("on-w2")
        play.claim()
        for (worker, id, cpu, memory) in [("w1", first, 90.0, 10.0), ("w2", second, 5.0, 1e9)] {
            var details = AttemptDetails()
            details.cpu = UsageStatistics(first: cpu)
            details.memory = UsageStatistics(first: memory)
            let held = HeldAttempt(attempt: AttemptID(run: id, number: 0), phase: .started, details: details)
            try play.tell(
                .heartbeat(WorkerHeartbeat(worker: worker, boot: "1", held: [held], freeDisk: 1)))
        }
        try play.job("a") { $0.algorithm = algorithm }
        try play.run("a")
        #expect(play.offers.map(\.worker) == [expected])
    }

    @Test("a target is the worker of that name, or else the group whose pattern its host name matches")
    func targets() throws {
        let play = Play()
        play.worker("w1", attributes: ["hostname": "db-1.example"])
        play.worker("w2", attributes: ["hostname": "web-1.example"])
        for (id, pattern) in [("db", "^db-"), ("w2", "^db-"), ("any", "example")] {
            try play.catalogue(
                .group(WorkerGroup(id: id, title: id, pattern: pattern, authorship: Play.authorship)))
        }
        for (target, worker) in [("db", "w1"), ("w2", "w2"), ("w1", "w1")] {
            try play.job("a") { $0.target = .named(target) }
            try play.run("a")
            #expect(play.offers.map(\.worker) == [worker])
            play.finish()
        }
    }

    @Test(
        "a run that fits nowhere waits, says why, and holds up nobody",
        arguments: [
            ("nobody", "its target 'nobody' is neither a worker nor a group of workers"),
            ("empty", "no worker that takes runs now is in the group 'empty', whose pattern is ^zzz$"),
        ])
    func nowhere(target: String, reason: String) throws {
        let play = Play()
        play.worker("w1")
        let group = WorkerGroup(id: "empty", title: "", pattern: "^zzz$", authorship: Play.authorship)
        try play.catalogue(.group(group))
        try play.job("stuck") {
            $0.target = .named(target)
            $0.highPriority = true
        }
        try play.job("a")
        let stuck = try play.run("stuck")
        try play.run("a")
        #expect(play.offers.map(\.offer.jobName) == ["a"])
        #expect(play.state.explanation(of: stuck) == reason)
    }

    @Test("a worker that joins, and a group that changes, are noticed")
    func membership() throws {
        let play = Play()
        play.worker("w1")
        try play.catalogue(.group(WorkerGroup(id: "g", title: "", pattern: "^w2$", authorship: Play.authorship)))
        try play.job("a") {
            $0.target = .named("g")
            $0.overlap = .allow
        }
        try play.run("a")
        #expect(play.offers.isEmpty)
        play.worker("w2")
        #expect(play.offers.map(\.worker) == ["w2"])
        try play.catalogue(.group(WorkerGroup(id: "g", title: "", pattern: "^w1$", authorship: Play.authorship)))
        try play.run("a")
        #expect(play.offers.map(\.worker) == ["w2", "w1"])
    }

    @Test(
        "a group's pattern matches anywhere, with case, unless it says otherwise",
        arguments: [
            (".+", "host", true), ("os", "host", true), ("^os", "host", false), ("OS", "host", false),
            ("(?i)OS", "host", true), ("^(node1|node2)$", "node2", true), ("t$", "host", true), ("", "host", true),
        ])
    func patterns(pattern: String, text: String, matches: Bool) throws {
        #expect(try Pattern(anywhere: pattern).matches(text) == matches)
    }
}
