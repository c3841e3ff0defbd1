import Testing
import Timetable

@testable import Domain

@Suite struct CataloguePlayTests {
    private func category(_ id: String, _ change: (inout Domain.Category) -> Void = { _ in }) -> CatalogueItem {
        var category = Category(id: id, title: id.uppercased(), authorship: Play.authorship)
        change(&category)
        return .category(category)
    }

    private func plugin(_ id: String, _ change: (inout Plugin) -> Void = { _ in }) -> CatalogueItem {
        var plugin = Plugin(id: id, title: id.uppercased(), command: "/bin/\(id)", authorship: Play.authorship)
        change(&plugin)
        return .plugin(plugin)
    }

    private func group(_ id: String, _ pattern: String) -> CatalogueItem {
        .group(WorkerGroup(id: id, title: id.uppercased(), pattern: pattern, authorship: Play.authorship))
    }

    @Test("a member of the catalogue that a job refers to stays")
    func inUse() throws {
        let play = Play()
        try play.catalogue(category("c"))
        try play.catalogue(plugin("p"))
        try play.catalogue(group("g", "."))
        try play.job("a") {
            $0.category = "c"
            $0.plugin = "p"
            $0.target = .named("g")
        }
        for (kind, id) in [(CatalogueItem.Kind.category, "c"), (.plugin, "p"), (.group, "g")] {
            #expect(play.refusal(.deleteCatalogue(kind, id: id))?.code == .conflict)
            #expect(play.database.catalogue[CatalogueKey(kind, id)] != nil)
        }
        try play.tell(.deleteJob(name: "a"))
        for (kind, id) in [(CatalogueItem.Kind.category, "c"), (.plugin, "p"), (.group, "g")] {
            try play.tell(.deleteCatalogue(kind, id: id))
            #expect(play.refusal(.deleteCatalogue(kind, id: id))?.code == .notFound)
        }
        #expect(play.database.catalogue.count == 0)
    }

    @Test("a job that is stored in the same turn protects what it refers to, one that is deleted in it does not")
    func sameTurn() throws {
        let play = Play()
        try play.catalogue(category("c"))
        var definition = JobDefinition(name: "a")
        definition.category = "c"
        let put = LeaderCommand.putJob(definition, isEnabled: true, counters: nil, mode: .upsert)
        let results = play.turn([put, .deleteCatalogue(.category, id: "c")])
        #expect(throws: DomainError.self) { try results[1].get() }
        let after = play.turn([.deleteJob(name: "a"), .deleteCatalogue(.category, id: "c")])
        #expect(throws: Never.self) { try after[1].get() }
    }

    @Test("creating twice, and updating what is not there, are refused")
    func modes() throws {
        let play = Play()
        #expect(play.refusal(.putCatalogue(plugin("p"), mode: .updateOnly))?.code == .notFound)
        try play.tell(.putCatalogue(plugin("p"), mode: .createOnly))
        #expect(play.refusal(.putCatalogue(plugin("p"), mode: .createOnly))?.code == .conflict)
    }

    @Test("a group's pattern must be one, and the message says why", arguments: ["(", "a++", "(?=x)", "[a"])
    func badPattern(pattern: String) {
        let play = Play()
        let refusal = play.refusal(.putCatalogue(group("g", pattern), mode: .upsert))
        #expect(refusal?.code == .invalid)
        #expect(refusal?.message.contains("not a regular expression") == true)
    }

    @Test("an offer carries the plugin with the job's values and the category's defaults")
    func offer() throws {
        let play = Play()
        play.worker("w1")
        try play.catalogue(group("all", ".+"))
        try play.catalogue(
            category("c") {
                $0.limits.memoryBytes = 5
                $0.limits.cpuPercent = 10
                $0.limits.cpuSustain = .seconds(3)
                $0.notifications.mailOnFailure = "ops@x"
            })
        try play.catalogue(
            plugin("p") {
                $0.user = "nobody"
                $0.workingDirectory = "/tmp"
            })
        let job = try play.job("a") {
            $0.title = "The A"
            $0.category = "c"
            $0.plugin = "p"
            $0.target = .named("all")
            $0.pluginParameters = #"{"x":1}"#
            $0.limits.cpuPercent = 50
            $0.limits.cpuSustain = .seconds(1)
            $0.retries = 2
            $0.isDetached = true
        }
        let context = RunContext(source: "Manual (jane)", postData: "{}")
        _ = try play.launch(.id(job.id), context: context)
        let offer = try #require(play.offers.first?.offer)
        let extras = try #require(offer.extras)
        let plugin = try #require(extras.plugin)
        #expect(offer.user == "nobody" && extras.workingDirectory == "/tmp" && extras.isDetached)
        #expect(extras.limits.memoryBytes == 5 && extras.limits.cpuPercent == 50)
        #expect(extras.limits.cpuSustain == .seconds(1))
        #expect(plugin.plugin.command == "/bin/p" && plugin.parameters == #"{"x":1}"# && plugin.job == job.id)
        #expect(plugin.jobTitle == "The A" && plugin.category == "c" && plugin.categoryTitle == "C")
        #expect(plugin.target == "all" && plugin.targetTitle == "ALL")
        #expect(plugin.notifications.mailOnFailure == "ops@x" && plugin.retriesLeft == 2)
        #expect(plugin.source == "Manual (jane)" && plugin.postData == "{}")
    }

    @Test("a plain command has no extras")
    func plain() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        try play.run("a")
        #expect(play.offers.first?.offer.extras == nil)
    }

    @Test("a run's own definition counts instead of the job's, over a change of leader as well")
    func ownDefinition() throws {
        let play = Play()
        try play.catalogue(plugin("p"))
        let job = try play.job("a") { $0.command = "echo job" }
        var definition = job.definition
        definition.command = "echo run"
        definition.plugin = "p"
        _ = try play.launch(.name("a"), context: RunContext(definition: definition))
        play.failover()
        play.worker("w1")
        #expect(play.offers.first?.offer.command == "echo run")
        #expect(play.offers.first?.offer.extras?.plugin?.plugin.id == "p")
    }

    @Test("a request is refused with Cronicle's words where the run could not be given to a worker")
    func refusals() throws {
        let play = Play()
        try play.catalogue(plugin("off") { $0.isEnabled = false })
        try play.catalogue(category("closed") { $0.isEnabled = false })
        try play.catalogue(group("none", "^zzz$"))
        func refused(_ change: @escaping (inout JobDefinition) -> Void) throws -> String? {
            try play.job("a") { change(&$0) }
            var request = RunRequest()
            request.isRefusedIfBlocked = true
            return play.refusal(.runJob(.name("a"), request))?.message
        }
        #expect(try refused { $0.target = .named("x") } == "Server or Server Group not found: x")
        #expect(try refused { $0.plugin = "x" } == "Plugin not found: x")
        #expect(try refused { $0.category = "x" } == "Category not found: x")
        #expect(try refused { $0.plugin = "off" } == "Plugin 'OFF' is disabled.")
        #expect(try refused { $0.category = "closed" } == "Category 'CLOSED' is disabled.")
        #expect(try refused { $0.target = .named("none") } == "Could not find any servers for group: NONE")
        play.worker("w1")
        try play.tell(.drainWorker(name: "w1", isDrained: true))
        #expect(try refused { $0.target = .named("w1") } == "Target server is not available: w1")
        #expect(play.database.runs.isEmpty)
    }

    @Test("a schedule's run whose plugin does not exist fails and says so, and its chain of failure follows")
    func missingPlugin() throws {
        let play = Play(at: "2026-01-01T00:00:00Z")
        play.worker("w1")
        try play.job("b")
        try play.job("a", .schedule(text("R/2026-01-01T00:01:00Z/PT1H"))) {
            $0.plugin = "gone"
            $0.onFailure = "b"
        }
        play.pass(.seconds(70))
        let run = try #require(play.ended("a").first)
        #expect(run.state == .failed && run.reason == "Plugin not found: gone")
        let link = try #require(play.active("b").first?.context?.chain)
        #expect(link.code == "\"job_launch_failure\"" && link.run == run.id)
    }

    @Test("what is switched off skips occurrences, and keeps them for jobs with full catch-up")
    func disabled() throws {
        let play = Play(at: "2026-01-01T00:00:00Z")
        play.worker("w1")
        try play.catalogue(plugin("p") { $0.isEnabled = false })
        for (name, catchUp) in [("latest", CatchUpPolicy.latest), ("all", .all)] {
            try play.job(name, .schedule(text("R/2026-01-01T00:01:00Z/PT1M"))) {
                $0.plugin = "p"
                $0.catchUp = catchUp
                $0.overlap = .allow
            }
        }
        play.pass(.seconds(130))
        #expect(play.verdicts("latest") == [.skipped, .skipped])
        #expect(play.verdicts("all").isEmpty)
        #expect(play.database.ledger.first?.reason == "Plugin 'P' is disabled.")
        try play.catalogue(plugin("p"))
        play.pass(.seconds(1))
        #expect(play.verdicts("all") == [.launched, .launched])
        #expect(play.verdicts("latest").count == 2)
    }

    @Test("a category takes as many runs as it allows, however they are asked for, and says why the others wait")
    func categoryLimit() throws {
        let play = Play()
        play.worker("w1")
        try play.catalogue(category("c") { $0.maximumActive = 2 })
        for name in ["a", "b", "d"] { try play.job(name) { $0.category = "c" } }
        try play.job("other")
        for name in ["a", "b", "d", "other"] { try play.run(name) }
        #expect(play.offers.map(\.offer.jobName) == ["a", "b", "other"])
        let waiting = try #require(play.active("d").first)
        #expect(
            play.state.explanation(of: waiting.id) == "Maximum of 2 jobs already running for category: C")
        play.failover()
        #expect(play.active("d").first?.state == .queued)
        play.turn()
        play.claim()
        play.turn([play.report(play.active("a")[0].attemptID, .exited(code: 0))])
        #expect(play.active("d").first?.state == .offered)
    }
}
