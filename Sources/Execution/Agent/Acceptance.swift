import Domain
import Timetable

/// Decides which offers a worker takes. Pure: what it decides depends on nothing but what it is given.
struct Acceptance: Sendable {
    enum Verdict: Hashable, Sendable {
        /// The user to change to; empty: none.
        case accepted(user: String)
        /// It is in the journal already: nothing to do.
        case held
        case refused(reason: String, isPermanent: Bool)
    }

    let description: WorkerDescription
    let users: UserPolicy
    let heldLimit: Int
    let containers: ContainerPolicy?
    let now: Instant
    private(set) var used: Resources
    private(set) var heldCount: Int

    init(
        description: WorkerDescription, users: UserPolicy, heldLimit: Int, now: Instant, used: Resources,
        heldCount: Int, containers: ContainerPolicy? = nil
    ) {
        self.containers = containers
        self.description = description
        self.users = users
        self.heldLimit = heldLimit
        self.now = now
        self.used = used
        self.heldCount = heldCount
    }

    /// Offers are decided in order; each that is accepted takes its resources.
    mutating func decide(_ offer: Offer, isHeld: Bool, wasExecuted: Bool) -> Verdict {
        if isHeld { return .held }
        if wasExecuted {
            return .refused(reason: "this worker has executed the attempt \(offer.attempt) before", isPermanent: true)
        }
        if let reason = Self.malformed(offer) { return .refused(reason: reason, isPermanent: true) }
        let user: String
        if offer.extras?.container != nil, offer.user.isEmpty {
            // The image's own, who is nobody on the machine.
            user = ""
        } else {
            switch users.decide(offer.user) {
            case .refused(let reason): return .refused(reason: reason, isPermanent: true)
            case .runAs(let name): user = name
            }
        }
        if let spec = offer.extras?.container {
            let reason =
                containers.map { $0.objection(to: spec, user: user) }
                ?? "this worker has no container engine (--container-engine names its socket)"
            if let reason { return .refused(reason: reason, isPermanent: true) }
        }
        for constraint in offer.constraints where !constraint.isSatisfied(by: description.attributes) {
            let actual = description.attributes[constraint.attribute].map { "is '\($0)' here" } ?? "is not set here"
            return .refused(
                reason: "the constraint '\(constraint.text)' is not met: \(constraint.attribute) \(actual)",
                isPermanent: true)
        }
        let capacity = description.capacity
        guard offer.resources.fits(in: capacity) else {
            let lack = Self.lack(offer.resources, in: capacity)
            return .refused(reason: "it needs more than this worker has: \(lack)", isPermanent: true)
        }
        let free = capacity - used
        guard offer.resources.fits(in: free) else {
            let lack = Self.lack(offer.resources, in: free)
            return .refused(reason: "it needs more than is free on this worker now: \(lack)", isPermanent: false)
        }
        if let deadline = offer.startDeadline, deadline < now {
            return .refused(reason: "its start deadline \(deadline.iso8601) has passed", isPermanent: false)
        }
        guard heldCount < heldLimit else {
            return .refused(reason: "this worker holds \(heldLimit) attempts already", isPermanent: false)
        }
        used = used + offer.resources
        heldCount += 1
        return .accepted(user: user)
    }

    /// What can never be executed, or would be a path or a line where none belongs.
    private static func malformed(_ offer: Offer) -> String? {
        let lower = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        let run = offer.attempt.run.rawValue.utf8
        guard (1...32).contains(run.count), run.allSatisfy({ lower.contains($0) || digits.contains($0) }),
            offer.attempt.number >= 0
        else { return "its identity is not one of 1 to 32 characters of a to z and 0 to 9" }
        let texts = [offer.command, offer.taskID, offer.jobName, offer.owner, offer.user] + offer.arguments
        if texts.contains(where: { $0.utf8.contains(0) }) { return "its command or names contain a NUL" }
        return nil
    }

    private static func lack(_ wanted: Resources, in free: Resources) -> String {
        var parts: [String] = []
        if wanted.cpus > free.cpus { parts.append("cpus \(wanted.cpus) of \(shown(free.cpus))") }
        if wanted.memory > free.memory { parts.append("memory \(wanted.memory) of \(shown(free.memory)) MB") }
        if wanted.disk > free.disk { parts.append("disk \(wanted.disk) of \(shown(free.disk)) MB") }
        return parts.joined(separator: ", ")
    }

    /// Sums of doubles have long tails; nobody wants to read 0.30000000000000004.
    private static func shown(_ value: Double) -> String {
        let rounded = (max(0, value) * 1000).rounded() / 1000
        return rounded.isFinite ? "\(rounded)" : "unlimited"
    }
}
