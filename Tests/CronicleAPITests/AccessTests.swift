import Domain
import Testing
import Timetable

@testable import CronicleAPI

@Suite("Limits of categories and groups")
struct AccessTests {
    private var catalogue: Catalogue {
        var catalogue = Catalogue()
        let authorship = Authorship(username: "admin", created: .distantPast, modified: .distantPast)
        for (id, pattern) in [("allgrp", ".+"), ("maingrp", "^(node1)$")] {
            catalogue.groups[id] = WorkerGroup(id: id, title: id, pattern: pattern, authorship: authorship)
        }
        return catalogue
    }

    private func access(_ granted: [String], _ privileges: Set<Privilege> = []) -> EventAccess {
        EventAccess(
            Principal(
                name: "k", privileges: privileges, identity: .key(id: "k1"), limits: AccessLimits(names: granted)),
            catalogue)
    }

    @Test("without limits all is seen, with one only what is listed")
    func categories() {
        #expect(access([]).maySee(category: "other"))
        let limited = access(["cat_limit", "cat_general"])
        #expect(limited.maySee(category: "general") && !limited.maySee(category: "other"))
        #expect(access(["cat_limit", "cat_general"], [.admin]).maySee(category: "other"))
    }

    @Test("a host is seen by a group that matches it, another group is not, even where the pattern would")
    func groups() {
        let main = access(["grp_limit", "grp_maingrp"])
        #expect(main.maySee(target: "maingrp") && main.maySee(target: "node1"))
        #expect(!main.maySee(target: "allgrp") && !main.maySee(target: "elsewhere"))
        let all = access(["grp_limit", "grp_allgrp"])
        #expect(all.maySee(target: "allgrp") && all.maySee(target: "anything") && !all.maySee(target: "maingrp"))
    }

    @Test("the events that may be seen are told by their categories and targets, and counted")
    func selection() {
        let places = [
            JobPlace(category: "general", target: "allgrp", count: 5),
            JobPlace(category: "general", target: "node1", count: 7),
            JobPlace(category: "other", target: "node1", count: 11),
            JobPlace(category: "other", target: "maingrp", count: 13),
        ]
        let category = access(["cat_limit", "cat_general"]).selection(of: places)
        #expect(category.filter == JobFilter(categories: ["general"], targets: nil) && category.count == 12)
        let group = access(["grp_limit", "grp_maingrp"]).selection(of: places)
        #expect(group.filter == JobFilter(categories: nil, targets: ["maingrp", "node1"]) && group.count == 31)
        let both = access(["cat_limit", "cat_other", "grp_limit", "grp_maingrp"]).selection(of: places)
        #expect(both.filter == JobFilter(categories: ["other"], targets: ["maingrp", "node1"]) && both.count == 24)
        let none = access(["cat_limit"]).selection(of: places)
        #expect(none.filter == JobFilter(categories: [], targets: nil) && none.count == 0)
    }

    @Test("what is missing is named")
    func words() {
        #expect { try access(["cat_limit"]).require(category: "other", target: "allgrp") } throws: {
            ($0 as? CronicleFailure)?.description
                == "API Key ('k') does not have the required privileges to perform this action (cat_other)."
        }
    }
}
