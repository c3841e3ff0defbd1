import Domain
import Testing
import Timetable

@testable import Operations

@Suite("Validation")
struct JobValidatorTests {
    private let validator = JobValidator(zones: FakeZones())

    private func message(_ change: (inout JobDefinition) throws -> Void) rethrows -> String? {
        var definition = JobDefinition(name: "a")
        definition.command = "date"
        try change(&definition)
        do {
            try validator.validate(definition)
            return nil
        } catch {
            return error.code == .invalid ? error.message : "wrong code \(error.code)"
        }
    }

    @Test("a definition at its limits is valid")
    func limits() throws {
        let message = try message { job in
            job.name = String(repeating: "x", count: Limits.jobName)
            job.command = String(repeating: "x", count: Limits.command)
            job.description = String(repeating: "x", count: Limits.text)
            job.arguments = Array(repeating: "x", count: Limits.arguments)
            job.environment = Array(repeating: EnvironmentVariable(name: "A", value: ""), count: 256)
            job.constraints = Array(
                repeating: try Constraint(attribute: "a", comparison: "LIKE", value: "b"), count: Limits.constraints)
            job.retries = Limits.retries
            job.timeout = .seconds(Limits.runSeconds)
            job.retryDelay = .zero
            job.startWindow = .milliseconds(1)
            job.trigger = .parents((0..<Limits.parents).map { "p\($0)" })
        }
        #expect(message == nil)
    }

    @Test("each text refuses NUL, and each list has an end")
    func texts() throws {
        let nul = "a\u{0}b"
        let changes: [(String, (inout JobDefinition) throws -> Void)] = [
            ("command", { $0.command = nul }), ("description", { $0.description = nul }),
            ("owner", { $0.owner = nul }), ("owner's name", { $0.ownerName = nul }), ("user", { $0.runAsUser = nul }),
            ("kept", { $0.dialectFields = nul }), ("argument 2", { $0.arguments = ["", nul] }),
            ("environment", { $0.environment = [EnvironmentVariable(name: nul, value: "")] }),
            ("environment", { $0.environment = [EnvironmentVariable(name: "A", value: nul)] }),
            (
                "environment",
                { $0.environment = Array(repeating: EnvironmentVariable(name: "A", value: ""), count: 257) }
            ),
            ("environment", { $0.environment = [EnvironmentVariable(name: "", value: "")] }),
            ("attribute", { $0.constraints = [try Constraint(attribute: nul, comparison: "EQUALS", value: "")] }),
            ("value", { $0.constraints = [try Constraint(attribute: "a", comparison: "EQUALS", value: nul)] }),
            (
                "32 constraints",
                {
                    let constraint = try Constraint(attribute: "a", comparison: "EQUALS", value: "")
                    $0.constraints = Array(repeating: constraint, count: 33)
                }
            ),
            ("256 parents", { $0.trigger = .parents((0..<257).map { "p\($0)" }) }),
            ("at least one parent", { $0.trigger = .parents([]) }),
            ("own parent", { $0.trigger = .parents(["b", "a"]) }),
        ]
        for (reason, change) in changes {
            #expect(try message(change)?.contains(reason) == true, "\(reason)")
        }
    }

    @Test("numbers have bounds on both sides")
    func numbers() {
        let changes: [(String, (inout JobDefinition) -> Void)] = [
            ("retries", { $0.retries = -1 }), ("retries", { $0.retries = 1_001 }),
            ("longest time", { $0.timeout = .zero }), ("longest time", { $0.timeout = .seconds(Int64.max) }),
            ("delay", { $0.retryDelay = .seconds(-1) }), ("late", { $0.startWindow = .zero }),
            ("late", { $0.startWindow = .seconds(Int64.max) }), ("cpus", { $0.resources.cpus = .nan }),
            ("memory", { $0.resources.memory = -1 }), ("disk", { $0.resources.disk = .infinity }),
        ]
        for (reason, change) in changes {
            #expect(message(change)?.contains(reason) == true, "\(reason)")
        }
    }

    @Test("a quoted text is cut to what a message can bear")
    func quotation() {
        #expect(quoted("a") == "'a'")
        #expect(quoted(String(repeating: "x", count: 1_000)).count == 83)
    }
}
