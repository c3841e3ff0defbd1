/// Which channels the cluster has.
public struct NotificationPolicy: Hashable, Sendable {
    public var hasMail = false
    public var hasSlack = false
    public var hasMattermost = false
    public var hasHTTP = false
    /// URL that is told of each start and end of every job; empty: none.
    public var universalWebHook = ""
    /// Failures are entered in the list of what has happened.
    public var keepsActivity = false
    public init() {}
}

/// Decides who is told of a notice.
public enum NotificationPlanner {
    public struct Recipient: Hashable, Sendable {
        public var channel: NotificationChannel
        public var destination: String
    }

    /// - Parameter settings: those of the job, with its category's where it has none.
    public static func recipients(
        of kind: Notice.Kind, run: Run?, owner: String, settings: NotificationSettings, policy: NotificationPolicy
    ) -> [Recipient] {
        var recipients: [Recipient] = []
        switch kind {
        case .runStarted: break
        case .runEnded:
            let state = run?.state
            if state == .failed || state == .lost { addOwner(owner, policy, to: &recipients) }
            // Whoever ended it knows.
            let addresses = state == .succeeded ? settings.mailOnSuccess : settings.mailOnFailure
            if policy.hasMail, state != .aborted, !addresses.isEmpty {
                recipients.append(Recipient(channel: .mail, destination: addresses))
            }
            if policy.keepsActivity, state != .succeeded {
                recipients.append(Recipient(channel: .activity, destination: ""))
            }
        case .launchRefused, .chainRefused:
            if policy.hasMail, !settings.mailOnFailure.isEmpty {
                recipients.append(Recipient(channel: .mail, destination: settings.mailOnFailure))
            }
            if policy.keepsActivity { recipients.append(Recipient(channel: .activity, destination: "")) }
        case .jobDisabled, .jobDeleted: addOwner(owner, policy, to: &recipients)
        }
        if kind == .runStarted || kind == .runEnded || kind == .launchRefused {
            for url in [settings.webHook, policy.universalWebHook] where !url.isEmpty {
                recipients.append(Recipient(channel: .webHook, destination: url))
            }
        }
        return recipients
    }

    /// One message for each owner and channel; a job without owner is told to the channels that have readers of their
    /// own.
    private static func addOwner(_ owner: String, _ policy: NotificationPolicy, to recipients: inout [Recipient]) {
        guard policy.hasMail || policy.hasSlack || policy.hasMattermost || policy.hasHTTP else { return }
        var owners: [String] = []
        for part in owner.split(separator: ",") {
            let name = part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            if !name.isEmpty { owners.append(String(name)) }
        }
        if policy.hasMail { for owner in owners { recipients.append(.init(channel: .ownerMail, destination: owner)) } }
        for owner in owners.isEmpty ? [""] : owners {
            if policy.hasSlack { recipients.append(.init(channel: .slack, destination: owner)) }
            if policy.hasMattermost { recipients.append(.init(channel: .mattermost, destination: owner)) }
            if policy.hasHTTP { recipients.append(.init(channel: .http, destination: owner)) }
        }
    }
}
