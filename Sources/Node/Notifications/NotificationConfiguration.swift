import Domain
public import HTTPTransport

/// What an operator sets of the ways out.
public struct NotificationConfiguration: Sendable {
    /// Nil: no mail.
    public var mailServer: SMTPClient.Server?
    /// Sender of all mails.
    public var mailFrom = ""
    /// Incoming web hooks of Slack and Mattermost, and a URL of any other kind; empty: none.
    public var slackURL = ""
    public var mattermostURL = ""
    public var httpURL = ""
    /// `user:password` for `httpURL`; empty: none.
    public var httpCredentials = ""
    /// Told of each start and end of every job; empty: none.
    public var universalWebHook = ""
    /// In front of subjects; empty: nothing.
    public var clusterName = ""
    /// What links in messages begin with; empty: no links.
    public var baseURL = ""
    /// Where web hooks of jobs may lead.
    public var egress = EgressPolicy()

    public init() {}

    /// What the leader must know of it.
    var policy: NotificationPolicy {
        var policy = NotificationPolicy()
        policy.hasMail = mailServer != nil
        policy.hasSlack = !slackURL.isEmpty
        policy.hasMattermost = !mattermostURL.isEmpty
        policy.hasHTTP = !httpURL.isEmpty
        policy.universalWebHook = universalWebHook
        policy.keepsActivity = true
        return policy
    }
}
