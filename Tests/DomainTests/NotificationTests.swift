import Domain
import Testing
import Timetable

@Suite("Who is told")
struct NotificationTests {
    private static func policy(_ channels: NotificationChannel..., universal: String = "") -> NotificationPolicy {
        var policy = NotificationPolicy()
        policy.hasMail = channels.contains(.mail)
        policy.hasSlack = channels.contains(.slack)
        policy.hasMattermost = channels.contains(.mattermost)
        policy.hasHTTP = channels.contains(.http)
        policy.universalWebHook = universal
        return policy
    }

    private static func told(
        _ kind: Notice.Kind, _ state: RunState? = nil, owner: String = "", _ settings: NotificationSettings = .none,
        _ policy: NotificationPolicy
    ) -> [String] {
        let run = state.map {
            Run(
                id: RunID("r"), job: JobVersion(job: JobID("j"), version: 1), jobName: "j", cause: .manual(key: "k"),
                due: Instant(microseconds: 0), state: $0)
        }
        return NotificationPlanner.recipients(of: kind, run: run, owner: owner, settings: settings, policy: policy)
            .map { "\($0.channel.rawValue):\($0.destination)" }
    }

    @Test("owners hear of failures for good, of deletions and of jobs that will not run again, and of nothing else")
    func owners() {
        let all = Self.policy(.mail, .slack)
        let expected = ["ownerMail:a@b", "ownerMail:c@d", "slack:a@b", "slack:c@d"]
        for state in [RunState.failed, .lost] {
            #expect(Self.told(.runEnded, state, owner: " a@b ,c@d,", .none, all) == expected)
        }
        #expect(Self.told(.jobDeleted, owner: "a@b,c@d", .none, all) == expected)
        #expect(Self.told(.jobDisabled, owner: "a@b,c@d", .none, all) == expected)
        for state in [RunState.succeeded, .aborted, .missed] {
            #expect(Self.told(.runEnded, state, owner: "a@b", .none, all) == [])
        }
        #expect(Self.told(.runStarted, .started, owner: "a@b", .none, all) == [])
    }

    @Test("a job without owner is told to channels that have readers of their own, not by mail")
    func nobody() {
        #expect(Self.told(.runEnded, .failed, .none, Self.policy(.mail)) == [])
        #expect(
            Self.told(.runEnded, .failed, .none, Self.policy(.slack, .mattermost, .http)) == [
                "slack:", "mattermost:", "http:",
            ])
    }

    @Test("every failure is entered in the list of what has happened, and no success")
    func activity() {
        var policy = Self.policy()
        policy.keepsActivity = true
        for state in [RunState.failed, .lost, .aborted] {
            #expect(Self.told(.runEnded, state, .none, policy) == ["activity:"])
        }
        #expect(Self.told(.launchRefused, nil, .none, policy) == ["activity:"])
        #expect(Self.told(.chainRefused, nil, .none, policy) == ["activity:"])
        #expect(Self.told(.runEnded, .succeeded, .none, policy) == [])
        #expect(Self.told(.runStarted, .started, .none, policy) == [])
    }

    @Test("the job's own addresses and hook, and the hook for all")
    func settings() {
        var settings = NotificationSettings()
        settings.mailOnSuccess = "s@x"
        settings.mailOnFailure = "f@x"
        settings.webHook = "http://h"
        let policy = Self.policy(.mail, universal: "http://u")
        #expect(
            Self.told(.runEnded, .succeeded, settings, policy) == ["mail:s@x", "webHook:http://h", "webHook:http://u"])
        #expect(
            Self.told(.runEnded, .failed, settings, policy) == ["mail:f@x", "webHook:http://h", "webHook:http://u"])
        #expect(Self.told(.runEnded, .aborted, settings, policy) == ["webHook:http://h", "webHook:http://u"])
        #expect(Self.told(.runStarted, .started, settings, policy) == ["webHook:http://h", "webHook:http://u"])
        #expect(Self.told(.jobDeleted, nil, settings, policy) == [])
        #expect(
            Self.told(.launchRefused, nil, owner: "a@b", settings, policy) == [
                "mail:f@x", "webHook:http://h", "webHook:http://u",
            ])
        // Without a server there is no mail.
        #expect(Self.told(.runEnded, .failed, settings, Self.policy()) == ["webHook:http://h"])
    }
}
