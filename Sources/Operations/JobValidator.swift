public import Domain
public import Timetable

/// Everything about a definition that can be judged without looking at other jobs.
public struct JobValidator: Sendable {
    /// The longest time by which a run may be late and still start.
    public static let longestStartWindow = Duration.seconds(100 * 366 * 86_400)
    /// Chronos' bound: earlier starts are somebody's mistake in a unit.
    public static let earliestStart = Instant(seconds: 1)

    private let zones: any ZoneDatabase

    public init(zones: any ZoneDatabase) { self.zones = zones }

    /// - Throws: `DomainError.invalid`, with a message that says what would be right.
    public func validate(_ definition: JobDefinition) throws(DomainError) {
        try Self.validate(name: definition.name)
        try validateTexts(definition)
        try validateCommandLine(definition)
        try validateNumbers(definition)
        try validateConstraints(definition.constraints)
        try validateTrigger(definition)
        try Self.validateContainer(definition)
        try Self.validateArtifacts(definition)
    }

    // MARK: Names

    /// The documented rule, `[\w\s\.#_-]+` over ASCII, with the length that a name may have.
    public static func validate(name: String) throws(DomainError) {
        guard !name.isEmpty else { throw .invalid("a job needs a name") }
        guard name.utf8.count <= Limits.jobName else {
            throw .invalid("a job's name may have at most \(Limits.jobName) characters, not \(name.utf8.count)")
        }
        guard name.utf8.allSatisfy(isNameCharacter) else {
            throw .invalid(
                "the job name \(quoted(name)) is invalid: only letters (a-z, A-Z), digits, blanks and the characters"
                    + " . # _ - may occur in it, as in the regular expression ([\\w\\s\\.#_-]+)")
        }
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "#"), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        // Blank, tab, line feed, vertical tab, form feed, carriage return.
        case 0x20, 0x09...0x0D: true
        default: false
        }
    }

    // MARK: Texts

    static func refuseNUL(_ text: String, in what: String) throws(DomainError) {
        guard !text.utf8.contains(0) else {
            throw .invalid("\(what) contains a NUL character, which no text of a job may have")
        }
    }

    private func check(_ text: String, _ what: String, limit: Int) throws(DomainError) {
        guard text.utf8.count <= limit else {
            throw .invalid("\(what) may have at most \(limit) bytes, not \(text.utf8.count)")
        }
        try Self.refuseNUL(text, in: what)
    }

    private func validateTexts(_ definition: JobDefinition) throws(DomainError) {
        try check(definition.description, "the description", limit: Limits.text)
        try check(definition.owner, "the owner", limit: Limits.text)
        try check(definition.ownerName, "the owner's name", limit: Limits.text)
        try check(definition.runAsUser, "the user to run as", limit: Limits.attributeValue)
        try check(definition.plugin, "the executor", limit: Limits.attributeValue)
        try check(definition.pluginParameters, "the parameters of a plugin", limit: Limits.pluginParameters)
        try check(definition.onSuccess, "the job to run after a success", limit: Limits.jobName)
        try check(definition.onFailure, "the job to run after a failure", limit: Limits.jobName)
        try check(definition.dialectFields, "the sum of fields that are only kept", limit: Limits.dialectFields)
    }

    private func validateCommandLine(_ definition: JobDefinition) throws(DomainError) {
        try check(definition.command, "the command", limit: Limits.command)
        // A container may bring its own.
        guard definition.shell || !definition.command.isEmpty || definition.container != nil else {
            throw .invalid("without a shell the command must name an executable; it is empty")
        }
        guard definition.arguments.count <= Limits.arguments else {
            throw .invalid("a job may have at most \(Limits.arguments) arguments, not \(definition.arguments.count)")
        }
        for (position, argument) in definition.arguments.enumerated() {
            try check(argument, "argument \(position + 1)", limit: Limits.argument)
        }
        guard definition.environment.count <= Limits.environmentVariables else {
            throw .invalid("a job may have at most \(Limits.environmentVariables) environment variables")
        }
        for variable in definition.environment {
            let what = "the environment variable \(quoted(variable.name))"
            guard !variable.name.isEmpty, !variable.name.utf8.contains(UInt8(ascii: "=")) else {
                throw .invalid("\(what) has no usable name: it must not be empty nor contain '='")
            }
            try check(variable.name, "the name of \(what)", limit: Limits.attributeValue)
            try check(variable.value, what, limit: Limits.environmentValue)
        }
    }

    // MARK: Numbers

    private func validateNumbers(_ definition: JobDefinition) throws(DomainError) {
        let resources = definition.resources
        for (amount, what) in [(resources.cpus, "cpus"), (resources.memory, "memory"), (resources.disk, "disk")] {
            guard amount.isFinite, amount >= 0 else { throw .invalid("\(what) must be a number from 0 on") }
        }
        guard (0...Limits.retries).contains(definition.retries) else {
            throw .invalid("retries must be from 0 to \(Limits.retries), not \(definition.retries)")
        }
        let longestRun = Duration.seconds(Limits.runSeconds)
        if let timeout = definition.timeout {
            guard timeout > .zero, timeout <= longestRun else {
                throw .invalid("the longest time of a run must be from 1 to \(Limits.runSeconds) seconds")
            }
        }
        if let delay = definition.retryDelay {
            guard delay >= .zero, delay <= longestRun else {
                throw .invalid("the delay before a retry must be from 0 to \(Limits.runSeconds) seconds")
            }
        }
        if let window = definition.startWindow {
            // A run always starts a moment after it is due: without any window each would be too late.
            guard window > .zero, window <= Self.longestStartWindow else {
                throw .invalid("the time by which a run may start late must be longer than 0 and at most 100 years")
            }
        }
    }

    // MARK: Constraints and triggers

    /// Operators and patterns were checked when the constraints were made.
    private func validateConstraints(_ constraints: [Constraint]) throws(DomainError) {
        guard constraints.count <= Limits.constraints else {
            throw .invalid("a job may have at most \(Limits.constraints) constraints, not \(constraints.count)")
        }
        for constraint in constraints {
            try check(constraint.attribute, "the attribute of a constraint", limit: Limits.attributeValue)
            try check(constraint.value, "the value of a constraint", limit: Limits.constraintPattern)
        }
    }

    private func validateTrigger(_ definition: JobDefinition) throws(DomainError) {
        switch definition.trigger {
        case .manual: break
        case .schedule(let text): try validate(text)
        case .parents(let parents): try validate(parents, of: definition.name)
        }
    }

    private func validate(_ text: ScheduleText) throws(DomainError) {
        try check(text.text, "the schedule", limit: Limits.text)
        try check(text.zone, "the time zone", limit: Limits.attributeValue)
        let schedule: Schedule
        do { schedule = try text.schedule(zones: zones) } catch { throw .invalid(error.message) }
        if let start = schedule.anchor, start < Self.earliestStart {
            throw .invalid("the schedule \(quoted(text.text)) must not start before 1970-01-01T00:00:01Z")
        }
    }

    private func validate(_ parents: [String], of name: String) throws(DomainError) {
        guard !parents.isEmpty else { throw .invalid("a dependent job needs at least one parent") }
        guard parents.count <= Limits.parents else {
            throw .invalid("a job may have at most \(Limits.parents) parents, not \(parents.count)")
        }
        for parent in parents {
            guard parent != name else { throw .invalid("the job \(quoted(name)) cannot be its own parent") }
            do { try Self.validate(name: parent) } catch {
                throw .invalid("the parent \(quoted(parent)) is no name of a job: \(error.message)")
            }
        }
    }
}
