/// Who is told of a job's runs. All of it is sent from an outbox, at least once.
public struct NotificationSettings: Hashable, Sendable {
    /// Mail addresses, separated by commas.
    public var mailOnSuccess = ""
    public var mailOnFailure = ""
    /// URL that is told of each start and end.
    public var webHook = ""

    public init() {}
    public static let none = NotificationSettings()
}
