import Domain
import HTTP
import JSON
import Node
import Synchronization
import Testing
import Timetable

@testable import CommandLineTool

@Suite("Imports")
struct ImportTests {
    static let now = Instant(seconds: 1_795_323_600)  // 2026-11-22T05:00:00Z, a Sunday
    private let zones = SystemZoneDatabase()

    private func body(_ step: ImportStep?) -> JSONValue {
        switch step?.action {
        case .post(_, let body)?, .item(_, _, let body)?: body
        default: .null
        }
    }

    private func due(_ step: ImportStep?, _ count: Int = 2) throws -> [String] {
        let schedule = try #require(step?.schedule)
        return try DueInstants.of(schedule, after: Self.now, zones: zones).prefix(count).map(\.iso8601)
    }

    // MARK: crontab

    private func crontab(_ text: String, hasUsers: Bool = false) -> ImportPlan {
        Crontab.plan(text, Crontab.Options(hasUsers: hasUsers, zone: "UTC", prefix: "tab", now: Self.now))
    }

    @Test("each line of a crontab becomes a job with the variables and the zone above it")
    func lines() throws {
        let plan = crontab(
            """
            # nightly
            SHELL=/bin/bash
            PATH = "/usr/local/bin:/usr/bin:/bin"
            MAILTO=ops@example.org
            */20 2 * * *  /opt/bin/backup.sh --all >/dev/null 2>&1
            CRON_TZ=America/New_York
            SHELL=/bin/sh
            30 9 1,15 * mon-fri FOO=1 report 'a b'
            @daily\tlogrotate /etc/logrotate.conf
            """)
        #expect(plan.refusals == [])
        #expect(plan.steps.map(\.name) == ["tab-5-backup.sh", "tab-8-report", "tab-9-logrotate"])
        let backup = body(plan.steps[0])
        #expect(backup["command"] == "/bin/bash -c '/opt/bin/backup.sh --all >/dev/null 2>&1'")
        #expect(backup["schedule"] == "*/20 2 * * *" && backup["scheduleTimeZone"] == "UTC")
        #expect(backup["owner"] == "ops@example.org" && backup["retries"] == 0 && backup["concurrent"] == true)
        #expect(
            backup["environmentVariables"] == [["name": "PATH", "value": "/usr/local/bin:/usr/bin:/bin"]])
        #expect(try due(plan.steps[0]) == ["2026-11-23T02:00:00.000Z", "2026-11-23T02:20:00.000Z"])
        let report = body(plan.steps[1])
        #expect(report["command"] == "FOO=1 report 'a b'" && report["scheduleTimeZone"] == "America/New_York")
        // The 1st and the 15th or any working day, as cron has it.
        #expect(try due(plan.steps[1], 1) == ["2026-11-23T14:30:00.000Z"])
        #expect(try DueInstants.of(try #require(plan.steps[2].schedule), after: Self.now, zones: zones).count == 10)
    }

    @Test("the system's form has a user; a percent sign begins what the command reads")
    func system() {
        let plan = crontab("17 * * * * root cd / && run-parts --report /etc/cron.hourly", hasUsers: true)
        #expect(body(plan.steps.first)["runAsUser"] == "root")
        #expect(body(plan.steps.first)["command"] == "cd / && run-parts --report /etc/cron.hourly")
        let mail = crontab("0 0 * * * mail -s \"100\\% it's\" bob%Hi,%it's me")
        #expect(
            body(mail.steps.first)["command"]
                == "printf '%s\\n' 'Hi,' 'it'\\''s me' | { mail -s \"100% it's\" bob\n}")
    }

    @Test(
        "what a crontab says and nobody can do is refused with a reason",
        arguments: [
            ("@reboot /bin/start", "start of one machine"), ("* * * *", "fields of time and a command"),
            ("* * * * *", "fields of time and a command"), ("@reboot", "fields of time and a command"),
        ])
    func refused(line: String, reason: String) {
        let plan = crontab(line)
        #expect(plan.steps == [])
        #expect(plan.refusals.first?.why.contains(reason) == true, "\(plan.refusals)")
    }

    @Test("a time that there is not is refused when its instants are computed, and nothing is sent for it")
    func wrongTime() async throws {
        let plan = crontab("61 * * * * true\n0 0 30 2 * never\n5 4 * * * fine")
        let run = ImportRun(plan: plan, isDry: true, now: Self.now, zones: zones, client: nil, storeUser: nil)
        let report = try await run.perform()
        #expect(report.lines[0].failure?.contains("61") == true)
        #expect(report.lines[1].failure == nil && report.lines[1].details == ["never due again"])
        #expect(report.lines[2].details.first?.hasPrefix("due 2026-11-23T04:05:00.000Z, 2026-11-24") == true)
        #expect(report.failures == 1)
        #expect(report.text.hasSuffix("2 would be imported, 1 not"))
    }

    // MARK: Chronos

    @Test("Chronos' jobs are posted parents first, without what it tells of their past")
    func chronos() throws {
        let jobs = try #require(
            JSONValue(
                parsing: Array(
                    #"""
                    [{"name": "c", "parents": ["b"], "command": "c", "successCount": 7, "lastSuccess": "2016-01-01"},
                     {"name": "b", "parents": ["a", "elsewhere"], "command": "b"},
                     {"name": "a", "schedule": "R/2026-11-22T04:00:00Z/PT24H", "command": "a", "epsilon": "PT60S"},
                     {"name": "off", "schedule": "R/2026-11-22T04:00:00Z/PT1H", "command": "x", "disabled": true},
                     {"name": "x", "parents": ["y"]}, {"name": "y", "parents": ["x"]},
                     {"name": "a", "command": "twice"}, {"command": "nameless"}]
                    """#.utf8)
            ).arrayValue)
        let plan = ChronosList.plan(jobs, now: Self.now)
        #expect(plan.steps.map(\.name) == ["a", "off", "b", "c"])
        #expect(body(plan.steps[3])["successCount"] == nil && body(plan.steps[3])["lastSuccess"] == nil)
        #expect(try due(plan.steps[0]) == ["2026-11-23T04:00:00.000Z", "2026-11-24T04:00:00.000Z"])
        #expect(plan.steps[1].whyNotDue == "disabled" && plan.steps[2].whyNotDue == "runs after a, elsewhere")
        #expect(plan.refusals.count == 4)
        #expect(plan.refusals.filter { $0.why.contains("circle") }.map(\.what).sorted() == ["job 'x'", "job 'y'"])
    }

    // MARK: Cronicle

    static let export = #"""
        # Cronicle Data Export v1.0
        # Hostname: old.example.org
        # Format: KEY - JSON

        users/admin - {"username":"admin","password":"$2a$10$abcdefghijklmnopqrstuuJ","salt":"s1","full_name":"A","email":"a@x.org","active":1,\#
        "privileges":{"admin":1,"run_events":0}}
        users/old - {"username":"old","password":"0123abcd","salt":"s","full_name":"O","email":"o@x.org","active":"0","privileges":{}}
        global/users - {"page_size":100,"first_page":0,"last_page":0,"length":2,"type":"list"}
        global/users/0 - {"type":"list_page","items":[{"username":"admin"},{"username":"old"}]}
        global/categories/0 - {"type":"list_page","items":[{"id":"c1","title":"Cat","enabled":1,"max_children":2,"username":"admin",\#
        "created":1,"modified":2},{"title":"No id"}]}
        global/plugins/0 - {"type":"list_page","items":[{"id":"shellplug","command":"bin/shell-plugin.js"},{"id":"p1","title":"Mine",\#
        "command":"bin/mine.js --x","enabled":1,"params":[],"uid":1001}]}
        global/api_keys/0 - {"type":"list_page","items":[{"id":"k1","key":"00ff","title":"Deploy","active":"1","privileges":{"run_events":1},\#
        "username":"admin"}]}
        global/schedule/-1 - {"type":"list_page","items":[{"id":"e2","title":"Newer","enabled":1,"category":"c1","target":"allgrp",\#
        "plugin":"p1","timing":{"minutes":[10],"hours":[21]},"timezone":"America/New_York","api_key":"00ff","username":"jo","created":5}]}
        global/schedule/0 - {"type":"list_page","items":[{"id":"e1","title":"Older","enabled":1,"category":"general","target":"maingrp",\#
        "plugin":"shellplug","timing":false,"username":"n n"},{"id":"e0","title":"Oldest","enabled":0,"category":"general","target":"h","plugin":"shellplug",\#
        "timing":{}}]}
        global/servers/0 - {"type":"list_page","items":[{"hostname":"old.example.org","ip":"10.0.0.1"}]}
        global/state - {"enabled":1}
        sessions/xyz - {"id":"xyz"}
        broken line
        global/schedule/9 - {oops}
        """#

    @Test("an export of Cronicle is taken over, the oldest first, without its stamps and secrets of others")
    func cronicle() throws {
        let plan = CronicleExport.plan(Self.export, now: Self.now)
        #expect(
            plan.steps.map(\.title) == [
                "category 'Cat'", "plugin 'Mine'", "user 'admin'", "user 'old'", "API key 'Deploy'", "event 'Oldest'",
                "event 'Older'", "event 'Newer'",
            ])
        #expect(body(plan.steps[0]) == ["id": "c1", "title": "Cat", "enabled": 1, "max_children": 2])
        #expect(body(plan.steps[1])["uid"] == "1001" && plan.steps[1].notes.first?.contains("absolute path") == true)
        guard case .user(let admin) = plan.steps[2].action, case .user(let old) = plan.steps[3].action else {
            Issue.record("no users")
            return
        }
        #expect(admin.passwordSuffix == "s1" && admin.granted == ["admin"] && admin.isActive)
        #expect(!old.isActive && old.passwordSuffix == "" && plan.steps[3].notes.count == 1)
        #expect(body(plan.steps[4])["key"] == "00ff" && body(plan.steps[4])["active"] == 1)
        let newer = body(plan.steps[7])
        #expect(newer["api_key"] == nil && newer["created"] == nil && newer["id"] == "e2")
        #expect(newer["username"] == "jo" && body(plan.steps[6])["username"] == nil)
        #expect(try due(plan.steps[7], 1) == ["2026-11-23T02:10:00.000Z"])
        #expect(plan.steps[6].whyNotDue == "on demand only" && plan.steps[5].whyNotDue == "disabled")
        #expect(plan.refusals.map(\.what) == ["line 17", "line 18 (global/schedule/9)", "category 'No id'"])
        #expect(plan.notes.contains { $0.contains("old.example.org") })
        #expect(plan.notes.contains { $0.hasPrefix("2 other records") })
        #expect(CronicleExport.plan("", now: Self.now).refusals.count == 1)
    }

    @Test("what is there already is updated, what is refused is told, and users need the database")
    func sending() throws {
        let asked = Mutex<[String]>([])
        let text = Self.export
        let report = try ClientTests.withServer { request in
            let call = request.path.split(separator: "/").dropLast().last.map(String.init) ?? ""
            asked.withLock { $0.append(call) }
            switch call {
            case "get_categories": return .json(["code": 0, "rows": [["id": "c1"]]])
            case "get_plugins": return .json(["code": 0, "rows": []])
            case "get_event": return .json(["code": request.json("id") == "e1" ? 0 : "event"])
            case "create_api_key": return .json(["code": "api_key", "description": "in use"])
            default: return .json(["code": 0])
            }
        } _: { client in
            try await ImportRun(
                plan: CronicleExport.plan(text, now: Self.now), isDry: false, now: Self.now,
                zones: SystemZoneDatabase(), client: client, storeUser: nil
            ).perform()
        }
        #expect(
            asked.withLock { $0.filter { !$0.hasPrefix("get_") } } == [
                "update_category", "create_plugin", "create_api_key", "create_event", "update_event", "create_event",
            ])
        let failures = report.lines.filter { $0.failure != nil }
        #expect(failures.map(\.what).prefix(3) == ["user 'admin'", "user 'old'", "API key 'Deploy'"])
        #expect(failures[0].failure?.contains("--database-url") == true && failures[2].failure == "in use")
        #expect(report.json["failed"] == 6 && report.json["imported"] == 5)
    }
}

extension HTTPRequest {
    fileprivate func json(_ key: String) -> JSONValue? { (try? JSONValue(parsing: body))?[key] }
}
