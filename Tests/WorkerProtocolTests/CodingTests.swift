import Domain
import JSON
import Testing
import Timetable

@testable import WorkerProtocol

private let attempt = AttemptID(run: RunID("r000070000001"), number: 2)
private let other = AttemptID(run: RunID("r000070000002"), number: 0)

private func sampleOffer() throws -> Offer {
    Offer(
        attempt: attempt, job: JobVersion(job: JobID("e000070000001"), version: 3), jobName: "nightly",
        owner: "ops@example.org", taskID: "ct:1800000000000:2:nightly:a b", due: Instant(seconds: 1_800_000_000),
        command: "echo \"hi\"", shell: false, arguments: ["a", "b"],
        environment: [EnvironmentVariable(name: "LANG", value: "C")], user: "nobody",
        resources: Resources(cpus: 0.1, memory: 128, disk: 256),
        constraints: [try Constraint(attribute: "rack", comparison: "LIKE", value: "r[12]")],
        timeout: .milliseconds(1500), startDeadline: Instant(seconds: 1_800_000_060))
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

@Suite("Bodies")
struct CodingTests {
    @Test("an offer batch has the golden body and reads back the same")
    func offers() throws {
        let batch = OfferBatch(
            term: Term(timeline: 1, epoch: 7), leader: "node-1", leaderURL: "http://node-1:4400",
            offers: [try sampleOffer()])
        let bytes = WorkerMessageCoding.encode(batch)
        #expect(
            text(bytes) == """
                {"term":{"timeline":1,"epoch":7},"leader":"node-1","leaderURL":"http://node-1:4400","offers":[\
                {"run":"r000070000001","attempt":2,"job":"e000070000001","version":3,"jobName":"nightly",\
                "owner":"ops@example.org","taskID":"ct:1800000000000:2:nightly:a b",\
                "dueMicroseconds":1800000000000000,"command":"echo \\"hi\\"","shell":false,"arguments":["a","b"],\
                "environment":[{"name":"LANG","value":"C"}],"user":"nobody",\
                "resources":{"cpus":0.1,"memoryMegabytes":128,"diskMegabytes":256},\
                "constraints":[{"attribute":"rack","operator":"LIKE","value":"r[12]"}],\
                "timeoutMicroseconds":1500000,"startDeadlineMicroseconds":1800000060000000}]}
                """)
        #expect(try WorkerMessageCoding.decodeOfferBatch(bytes) == batch)
    }

    @Test("what an offer does not have is not in its body")
    func optionals() throws {
        var offer = try sampleOffer()
        offer.timeout = nil
        offer.startDeadline = nil
        let batch = OfferBatch(term: .none, leader: "", leaderURL: "", offers: [offer])
        let bytes = WorkerMessageCoding.encode(batch)
        #expect(!text(bytes).contains("timeoutMicroseconds"))
        #expect(!text(bytes).contains("startDeadlineMicroseconds"))
        #expect(try WorkerMessageCoding.decodeOfferBatch(bytes) == batch)
    }

    @Test("both replies to an offer have their golden bodies and status")
    func offerReplies() throws {
        let taken = OfferReply.taken(
            boot: "b1", refused: [OfferRefusal(attempt: attempt, reason: "full", isPermanent: false)])
        let stale = OfferReply.stale(highest: Term(timeline: 1, epoch: 8))
        #expect(
            text(WorkerMessageCoding.encode(taken)) == """
                {"boot":"b1","refused":[{"run":"r000070000001","attempt":2,"reason":"full","isPermanent":false}],\
                "held":[]}
                """)
        #expect(text(WorkerMessageCoding.encode(stale)) == #"{"stale":{"timeline":1,"epoch":8}}"#)
        for reply in [taken, stale] {
            #expect(try WorkerMessageCoding.decodeOfferReply(WorkerMessageCoding.encode(reply)) == reply)
        }
        #expect(WorkerMessageCoding.status(of: taken) == 200)
        #expect(WorkerMessageCoding.status(of: stale) == 409)
    }

    @Test("claims, kills and their replies have their golden bodies")
    func claims() throws {
        let claim = ClaimRequest(worker: "w1", boot: "b1", attempts: [attempt])
        let reply = ClaimReply(granted: [attempt], refused: [other])
        let kill = KillRequest(term: Term(timeline: 1, epoch: 7), attempts: [attempt])
        #expect(
            text(WorkerMessageCoding.encode(claim))
                == #"{"worker":"w1","boot":"b1","attempts":[{"run":"r000070000001","attempt":2}]}"#)
        #expect(
            text(WorkerMessageCoding.encode(reply)) == """
                {"granted":[{"run":"r000070000001","attempt":2}],"refused":[{"run":"r000070000002","attempt":0}]}
                """)
        #expect(
            text(WorkerMessageCoding.encode(kill))
                == #"{"term":{"timeline":1,"epoch":7},"attempts":[{"run":"r000070000001","attempt":2}]}"#)
        #expect(try WorkerMessageCoding.decodeClaimRequest(WorkerMessageCoding.encode(claim)) == claim)
        #expect(try WorkerMessageCoding.decodeClaimReply(WorkerMessageCoding.encode(reply)) == reply)
        #expect(try WorkerMessageCoding.decodeKillRequest(WorkerMessageCoding.encode(kill)) == kill)
        let told = KillRequest(
            term: Term(timeline: 1, epoch: 7), attempts: [attempt, other], reasons: [other: "enough"])
        #expect(try WorkerMessageCoding.decodeKillRequest(WorkerMessageCoding.encode(told)) == told)
    }

    @Test("new limits of a try have their golden body")
    func adjusting() throws {
        var limits = RunLimits()
        limits.logBytes = 9
        let request = AdjustRequest(
            term: Term(timeline: 1, epoch: 7), attempt: attempt, timeout: .seconds(2), limits: limits)
        #expect(
            text(WorkerMessageCoding.encode(request)) == """
                {"term":{"timeline":1,"epoch":7},"run":"r000070000001","attempt":2,"timeoutMicroseconds":2000000,\
                "limits":{"log_bytes":9}}
                """)
        #expect(try WorkerMessageCoding.decodeAdjustRequest(WorkerMessageCoding.encode(request)) == request)
        #expect(throws: DomainError.self) {
            try WorkerMessageCoding.decodeAdjustRequest(Array(#"{"term":{"timeline":1,"epoch":7}}"#.utf8))
        }
    }

    @Test("registration and heartbeat have their golden bodies")
    func uplink() throws {
        let worker = WorkerDescription(
            name: "w1", url: "http://w1:4500", boot: "b1", capacity: Resources(cpus: 2, memory: 1024.5, disk: 0),
            attributes: ["rack": "r1", "hostname": "w1"], version: "0.1")
        let heartbeat = WorkerHeartbeat(
            worker: "w1", boot: "b1", held: [HeldAttempt(attempt: attempt, phase: .finished)], freeDisk: 100)
        let reply = HeartbeatReply(
            term: Term(timeline: 1, epoch: 7), leaderURL: "http://node-1:4400", mustRegister: true, kill: [other])
        #expect(
            text(WorkerMessageCoding.encode(worker)) == """
                {"name":"w1","url":"http://w1:4500","boot":"b1",\
                "capacity":{"cpus":2,"memoryMegabytes":1024.5,"diskMegabytes":0},\
                "attributes":{"hostname":"w1","rack":"r1"},"version":"0.1"}
                """)
        #expect(
            text(WorkerMessageCoding.encode(heartbeat)) == """
                {"worker":"w1","boot":"b1","held":[{"run":"r000070000001","attempt":2,"phase":"finished"}],\
                "freeDiskMegabytes":100}
                """)
        #expect(
            text(WorkerMessageCoding.encode(reply)) == """
                {"term":{"timeline":1,"epoch":7},"leaderURL":"http://node-1:4400","mustRegister":true,\
                "kill":[{"run":"r000070000002","attempt":0}]}
                """)
        #expect(try WorkerMessageCoding.decodeWorkerDescription(WorkerMessageCoding.encode(worker)) == worker)
        #expect(try WorkerMessageCoding.decodeWorkerHeartbeat(WorkerMessageCoding.encode(heartbeat)) == heartbeat)
        #expect(try WorkerMessageCoding.decodeHeartbeatReply(WorkerMessageCoding.encode(reply)) == reply)
        var dated = reply
        dated.now = Instant(microseconds: 1_700_000_000_000_001)
        #expect(text(WorkerMessageCoding.encode(dated)).hasSuffix(#","nowMicroseconds":1700000000000001}"#))
        #expect(try WorkerMessageCoding.decodeHeartbeatReply(WorkerMessageCoding.encode(dated)) == dated)
    }

    @Test(
        "a report of every outcome reads back the same",
        arguments: [
            AttemptOutcome.exited(code: 0), .exited(code: 255), .signalled(9), .timedOut, .aborted, .notStarted,
            .interrupted,
        ])
    func reports(outcome: AttemptOutcome) throws {
        let reports = [
            AttemptReport(
                attempt: attempt, worker: "w1", boot: "b1", startedAt: Instant(microseconds: 5),
                finishedAt: Instant(microseconds: 7), outcome: outcome, reason: "why", outputTail: "a\n\u{1}é"),
            AttemptReport(
                attempt: other, worker: "w1", boot: "b1", startedAt: nil, finishedAt: Instant(microseconds: -7),
                outcome: outcome, reason: "", outputTail: ""),
        ]
        #expect(try WorkerMessageCoding.decodeReports(WorkerMessageCoding.encode(reports)) == reports)
        let reply = ReportReply(acknowledged: [attempt, other])
        #expect(try WorkerMessageCoding.decodeReportReply(WorkerMessageCoding.encode(reply)) == reply)
    }

    @Test("a report has the golden body")
    func goldenReport() {
        let report = AttemptReport(
            attempt: attempt, worker: "w1", boot: "b1", startedAt: Instant(microseconds: 5),
            finishedAt: Instant(microseconds: 7), outcome: .exited(code: 3), reason: "why", outputTail: "x")
        #expect(
            text(WorkerMessageCoding.encode([report])) == """
                {"reports":[{"run":"r000070000001","attempt":2,"worker":"w1","boot":"b1","startedMicroseconds":5,\
                "finishedMicroseconds":7,"outcome":"exited","code":3,"reason":"why","outputTail":"x"}]}
                """)
    }

    @Test("a wrong field is named, with what would be right")
    func messages() throws {
        let good = try sampleOffer()
        func refusal(_ change: (inout JSONObject) -> Void) throws -> String {
            let bytes = WorkerMessageCoding.encode(
                OfferBatch(term: .none, leader: "n", leaderURL: "", offers: [good]))
            guard var body = try JSONValue(parsing: bytes).objectValue,
                var offer = body["offers"]?.arrayValue?.first?.objectValue
            else { return "" }
            change(&offer)
            body["offers"] = .array([.object(offer)])
            do {
                _ = try WorkerMessageCoding.decodeOfferBatch(JSONValue.object(body).serialized())
                return "accepted"
            } catch {
                #expect(error.code == .invalid)
                return error.message
            }
        }
        #expect(try refusal { $0["command"] = nil } == "offers[0].command is missing")
        #expect(try refusal { $0["command"] = 5 } == "offers[0].command must be text of 0 to 65536 bytes")
        #expect(try refusal { $0["run"] = "../../etc" }.contains("1 to 64 characters of a to z, 0 to 9 and _"))
        #expect(try refusal { $0["run"] = "R1" }.contains("offers[0].run"))
        #expect(try refusal { $0["attempt"] = -1 }.contains("offers[0].attempt must be an integer from 0"))
        #expect(try refusal { $0["shell"] = "true" } == "offers[0].shell must be true or false")
        #expect(try refusal { $0["arguments"] = ["a", 1] }.contains("offers[0].arguments[1]"))
        #expect(try refusal { $0["timeoutMicroseconds"] = 0 }.contains("offers[0].timeoutMicroseconds"))
        #expect(
            try refusal { $0["resources"] = ["cpus": -1, "memoryMegabytes": 1, "diskMegabytes": 1] }
                == "offers[0].resources.cpus must be a number that is not negative")
        #expect(
            try refusal { $0["constraints"] = [["attribute": "a", "operator": "LIKE", "value": "("]] }
                .contains("regular expression"))
        #expect(try refusal { $0["command"] = .string(String(repeating: "x", count: 65_537)) }.contains("65536"))
        #expect(try refusal { $0["unknown"] = 1 } == "accepted")
    }

    @Test("limits on counts are held")
    func counts() throws {
        let offer = try sampleOffer()
        let many = OfferBatch(
            term: .none, leader: "", leaderURL: "",
            offers: Array(repeating: offer, count: Limits.offersPerRequest + 1))
        #expect(throws: DomainError.self) {
            try WorkerMessageCoding.decodeOfferBatch(WorkerMessageCoding.encode(many))
        }
        let report = AttemptReport(
            attempt: attempt, worker: "w", boot: "b", startedAt: nil, finishedAt: .distantPast, outcome: .aborted,
            reason: "", outputTail: String(repeating: "x", count: Limits.outputTail + 1))
        #expect(throws: DomainError.self) {
            try WorkerMessageCoding.decodeReports(WorkerMessageCoding.encode([report]))
        }
    }

    @Test("damaged bodies are refused or read as something valid, and nothing traps")
    func mutations() throws {
        var generator = SplitMix(state: 0xC0FFEE)
        let batch = OfferBatch(
            term: Term(timeline: 1, epoch: 7), leader: "n", leaderURL: "u", offers: [try sampleOffer()])
        let seed = WorkerMessageCoding.encode(batch)
        var refused = 0
        for _ in 0..<4_000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                case 2: bytes.insert(Array("0919-\"{}[],:e".utf8).randomElement(using: &generator) ?? 0, at: index)
                default: bytes.removeSubrange(index...)
                }
                if bytes.isEmpty { break }
            }
            do {
                let read = try WorkerMessageCoding.decodeOfferBatch(bytes)
                // What was accepted can be said again.
                #expect(try WorkerMessageCoding.decodeOfferBatch(WorkerMessageCoding.encode(read)) == read)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 1_000)
    }
}

@Suite("Errors on the wire")
struct WireErrorTests {
    @Test("a node that does not lead answers 421 and says who does")
    func notLeader() {
        let error = WireError(.notLeader("not me"), leader: "http://node-2:4400")
        #expect(text(error.body) == #"{"message":"not me","status":421,"leader":"http://node-2:4400"}"#)
        let read = WireError(status: 421, body: error.body).transportError
        #expect(read.code == .notLeader)
        #expect(read.leaderURL == "http://node-2:4400")
    }

    @Test("refusals and failures are told apart")
    func codes() {
        #expect(WireError(DomainError(.unauthenticated, "no")).transportError.code == .refused)
        #expect(WireError(.invalid("no")).transportError.code == .refused)
        #expect(WireError(.unavailable("no")).transportError.code == .failed)
        #expect(WireError(DomainError(.tooMany, "no")).status == 429)
        #expect(WireError(.notFound("no"), leader: "http://x").leader == nil)
    }

    @Test("a body of something in between becomes a message with its status")
    func foreign() {
        let read = WireError(status: 502, body: Array("<html>".utf8))
        #expect(read.message == "answered with status 502")
        #expect(read.transportError.code == .failed)
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
