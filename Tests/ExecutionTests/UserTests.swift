import Domain
import Foundation
import Runtime
import Testing

@testable import Execution

extension LauncherTests {
    @Suite("As whom commands run")
    struct UserTests {
        @Test(
            "the worker of root runs what names nobody as nobody, and root only where the operator says so",
            .enabled(if: geteuid() == 0))
        func neverRootByDefault() {
            let plain = UserPolicy.ofThisProcess(allowed: [], defaultUser: "")
            #expect(plain.decide("") == .runAs("nobody"))
            #expect(plain.decide("nobody") == .runAs("nobody"))
            for name in ["root", "0", "daemon", "1"] {
                guard case .refused(let reason) = plain.decide(name) else {
                    Issue.record("\(name) was allowed")
                    continue
                }
                #expect(reason.contains("'\(name)'") && reason.contains("--allow-user"))
            }
            #expect(UserPolicy.ofThisProcess(allowed: ["root"], defaultUser: "").decide("0") == .runAs(""))
            #expect(UserPolicy.ofThisProcess(allowed: [], defaultUser: "root").decide("") == .runAs(""))
        }

        @Test("users are the same by name and by number, and unknown ones are told", .enabled(if: geteuid() == 0))
        func numbers() throws {
            let daemon = try UserIdentity.named("daemon")
            let byName = UserPolicy.ofThisProcess(allowed: ["daemon", "no-such-user"], defaultUser: "")
            #expect(byName.unknown == ["no-such-user"])
            #expect(byName.decide("daemon") == .runAs("daemon"))
            #expect(byName.decide("\(daemon.user)") == .runAs("daemon"))
            let byNumber = UserPolicy.ofThisProcess(allowed: ["\(daemon.user)"], defaultUser: "")
            #expect(byNumber.decide("daemon") == .runAs("daemon"))
            #expect(try UserIdentity.named("\(daemon.user)").name == "daemon")
            for text in ["+0", "-0", "0x0", " 0", "", "99999999999"] { #expect(UserIdentity.number(text) == nil) }
        }

        @Test("a group must be one of the user's", .enabled(if: geteuid() == 0))
        func groups() throws {
            let nobody = try UserIdentity.named("nobody")
            #expect(throws: LaunchError("the user 'nobody' is not in the group 'root'")) { try nobody.inGroup("root") }
            #expect(throws: LaunchError("the user 'nobody' is not in the group '0'")) { try nobody.inGroup("0") }
            #expect(throws: LaunchError("this worker's machine has no group 'no-such-group'")) {
                try nobody.inGroup("no-such-group")
            }
            #expect(try nobody.inGroup("\(nobody.group)").group == nobody.group)
            #expect(try UserIdentity.own().inGroup("daemon").group != 0)
        }

        @Test("group, working directory and streams are the user's own", .enabled(if: geteuid() == 0))
        func asUser() async throws {
            try await withBench { bench in
                var offer = sampleOffer(
                    attempt(1), command: "id -g; pwd; echo out >/dev/stdout; echo err >/dev/stderr")
                var extras = OfferExtras.none
                extras.group = "daemon"
                extras.workingDirectory = "/usr"
                offer.extras = extras
                let end = try await bench.run(offer)
                let group = try UserIdentity.own().inGroup("daemon").group
                #expect(end.outputTail == "\(group)\n/usr\nout\nerr\n")
                extras = .none
                extras.workingDirectory = "/root"
                offer = sampleOffer(attempt(2), command: "pwd; echo err >/dev/stderr")
                offer.extras = extras
                try FileManager.default.createDirectory(
                    atPath: "\(bench.scratch.path)/closed", withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
                offer.extras?.workingDirectory = "\(bench.scratch.path)/closed"
                await #expect { _ = try await bench.run(offer, user: "nobody") } throws: {
                    "\($0)".contains("cannot be entered as 'nobody': Permission denied")
                }
                offer.extras = nil
                let streams = try await bench.run(offer, user: "nobody")
                #expect(streams.outputTail.hasSuffix("err\n"))
            }
        }
    }
}
