import Domain
import Runtime
import Testing
import Timetable

@testable import Execution

@Suite("Users")
struct UserPolicyTests {
    private let root = UserPolicy(allowed: ["backup"], defaultUser: "jobs", ownUser: "root", mayChange: true)
    private let plain = UserPolicy(allowed: ["backup", "me"], defaultUser: "", ownUser: "me", mayChange: false)

    @Test("an empty name is the default user, or the worker's own")
    func empty() {
        #expect(root.decide("") == .runAs("jobs"))
        #expect(plain.decide("") == .runAs(""))
    }

    @Test("only allowed users are run as, root not by itself")
    func allowed() {
        #expect(root.decide("backup") == .runAs("backup"))
        #expect(root.decide("jobs") == .runAs("jobs"))
        for user in ["root", "other"] {
            guard case .refused(let reason) = root.decide(user) else {
                Issue.record("\(user) is allowed")
                continue
            }
            #expect(reason.contains("'\(user)'"))
        }
    }

    @Test("a worker that is not root says that it cannot change")
    func unprivileged() {
        #expect(plain.decide("me") == .runAs(""))
        guard case .refused(let reason) = plain.decide("backup") else {
            Issue.record("it can change")
            return
        }
        #expect(reason.contains("not as root"))
    }
}
