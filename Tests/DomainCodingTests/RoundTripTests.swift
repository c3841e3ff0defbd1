import Domain
import DomainCoding
import JSON
import Testing
import Timetable

@Suite("Values of the domain as JSON")
struct RoundTripTests {
    private static func container() -> ContainerSpec {
        var container = ContainerSpec(image: "busybox:1")
        container.forcePullImage = true
        container.network = .user
        container.networkName = "blue"
        container.volumes = [
            .init(containerPath: "/a", hostPath: "/b", mode: .readOnly),
            .init(
                containerPath: "/c", hostPath: "", mode: .readWrite,
                external: .init(name: "v", provider: "nfs", options: [.init(key: "k", value: "1")])),
        ]
        container.parameters = [.init(key: "env", value: "A=1")]
        return container
    }

    private static func limits() -> RunLimits {
        var limits = RunLimits()
        limits.cpuPercent = 50.5
        limits.cpuSustain = .seconds(3)
        limits.memoryBytes = 1 << 30
        limits.memorySustain = .milliseconds(1500)
        limits.logBytes = 77
        limits.processes = 9
        return limits
    }

    private static func notifications() -> NotificationSettings {
        var settings = NotificationSettings()
        settings.mailOnSuccess = "a@b"
        settings.mailOnFailure = "c@d, e@f"
        settings.webHook = "http://h/"
        return settings
    }

    private static func artifact() -> Artifact {
        var artifact = Artifact(uri: "http://h/a.tgz")
        artifact.outputFile = "x/y"
        artifact.isExecutable = true
        artifact.mayBeCached = true
        artifact.isExtracted = false
        return artifact
    }

    private static func definition() -> JobDefinition {
        var definition = JobDefinition(name: "j")
        definition.title = "T"
        definition.category = "c1"
        definition.plugin = "shellplug"
        definition.pluginParameters = #"{"script":"x"}"#
        definition.runAsGroup = "g"
        definition.workingDirectory = "/tmp"
        definition.container = container()
        definition.artifacts = [artifact(), Artifact(uri: "ftp://h/b")]
        definition.limits = limits()
        definition.isDetached = true
        definition.target = .named("allgrp")
        definition.algorithm = .leastMemory
        definition.isMultiplexed = true
        definition.stagger = .seconds(2)
        definition.maximumActive = 0
        definition.queueLimit = 0
        definition.onSuccess = "a"
        definition.onFailure = "b"
        definition.notifications = notifications()
        return definition
    }

    private static func chain() -> ChainLink {
        ChainLink(
            run: RunID("r1"), job: JobID("j1"), jobTitle: "T", data: "{}", code: "0", description: "d", length: 3)
    }

    private static let authorship = Authorship(
        username: "u", created: Instant(microseconds: 1), modified: Instant(microseconds: 2))

    private static func plugin() -> Plugin {
        var plugin = Plugin(id: "p1", title: "P", command: "/bin/x -y", authorship: authorship)
        plugin.isEnabled = false
        plugin.workingDirectory = "/w"
        plugin.user = "u"
        plugin.group = "g"
        plugin.parameters = #"[{"id":"a"}]"#
        plugin.environment = #"{"A":"1"}"#
        plugin.dialectFields = #"{"z":1}"#
        return plugin
    }

    @Test("a definition that uses everything survives")
    func definitions() throws {
        let text = JobDefinitionCoding.text(Self.definition())
        #expect(try JobDefinitionCoding.decode(JSONValue(parsing: Array(text.utf8))) == Self.definition())
    }

    @Test("what an offer says besides its command survives, and nothing is written for nothing")
    func extras() throws {
        var extras = OfferExtras()
        #expect(OfferExtrasCoding.encode(extras).text == "{}")
        #expect(try OfferExtrasCoding.decode(OfferExtrasCoding.encode(extras)) == extras)
        extras.container = Self.container()
        extras.artifacts = [Self.artifact()]
        extras.limits = Self.limits()
        extras.isDetached = true
        extras.group = "g"
        extras.workingDirectory = "/w"
        var offer = PluginOffer(plugin: Self.plugin(), job: JobID("j1"))
        offer.parameters = #"{"a":"b"}"#
        offer.jobTitle = "T"
        offer.category = "c"
        offer.categoryTitle = "C"
        offer.target = "t"
        offer.targetTitle = "TT"
        offer.notifications = Self.notifications()
        offer.hasOwnParameters = true
        offer.retriesLeft = 2
        offer.onSuccess = "s"
        offer.onFailure = "f"
        offer.notes = "n"
        offer.source = "Manual (x)"
        offer.chain = Self.chain()
        offer.postData = "[1]"
        offer.dialectFields = #"{"q":1}"#
        extras.plugin = offer
        #expect(try OfferExtrasCoding.decode(OfferExtrasCoding.encode(extras)) == extras)
    }

    @Test("the context of a run survives")
    func contexts() throws {
        let context = RunContext(
            definition: Self.definition(), source: "API Key (x)", chain: Self.chain(), postData: "{}",
            firstStart: Instant(microseconds: 5))
        #expect(try RunContextCoding.decode(RunContextCoding.encode(context)) == context)
        #expect(try RunContextCoding.decode([:]) == RunContext())
    }

    @Test("the details of a try survive")
    func details() throws {
        var details = AttemptDetails()
        details.cpu = UsageStatistics(first: 3)
        details.cpu?.add(5)
        details.memory = UsageStatistics(minimum: 1, maximum: 2, total: 3, count: 4, current: 5)
        details.logBytes = 6
        details.process = 7
        details.reported = #"{"progress":0.5}"#
        details.survivors = 8
        #expect(details.cpu == UsageStatistics(minimum: 3, maximum: 5, total: 8, count: 2, current: 5))
        var result = ReportedResult()
        result.code = #""ECONNREFUSED""#
        result.description = "d"
        result.onSuccess = "next"
        result.onFailure = ""
        result.chainData = "[1]"
        result.chainParameters = "{}"
        result.mailOnSuccess = "a@example.org"
        result.mailOnFailure = ""
        details.result = result
        #expect(try AttemptDetailsCoding.decode(AttemptDetailsCoding.encode(details)) == details)
    }

    @Test("members of the catalogue survive")
    func catalogue() throws {
        var category = Category(id: "c", title: "C", authorship: Self.authorship)
        category.description = "d"
        category.color = "red"
        category.isEnabled = false
        category.maximumActive = 3
        category.limits = Self.limits()
        category.notifications = Self.notifications()
        let group = WorkerGroup(id: "g", title: "G", pattern: "^w", authorship: Self.authorship)
        for item in [CatalogueItem.category(category), .group(group), .plugin(Self.plugin())] {
            #expect(try CatalogueCoding.decode(item.kind, CatalogueCoding.encode(item)) == item)
        }
    }

    @Test("a value of the wrong type is refused by its key")
    func refused() {
        #expect(throws: StoreError.self) { try LimitsCoding.decode(["log_bytes": "x"]) }
        #expect(throws: StoreError.self) { try ContainerCoding.decode(["image": "i", "network": "MOON"]) }
        #expect(throws: StoreError.self) { try OfferExtrasCoding.decode(["plugin": [:]]) }
    }
}
