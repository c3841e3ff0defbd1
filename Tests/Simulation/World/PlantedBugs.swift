/// Bugs that a simulation can be given, to show that it would find them.
struct PlantedBugs: OptionSet, Sendable {
    let rawValue: Int

    /// The store takes writes of any term.
    static let noFence = PlantedBugs(rawValue: 1)
    /// Every claim is granted.
    static let noClaim = PlantedBugs(rawValue: 2)
    /// A commit loses a new run.
    static let lostInsert = PlantedBugs(rawValue: 4)
    /// A commit loses a verdict.
    static let lostVerdict = PlantedBugs(rawValue: 8)
    /// A leader believes in its office whether or not it hears from the database.
    static let endlessTrust = PlantedBugs(rawValue: 16)
    /// The server never ends a silent session.
    static let lockNeverFreed = PlantedBugs(rawValue: 32)
    /// Taking office does not raise the epoch.
    static let sameEpoch = PlantedBugs(rawValue: 64)
    /// A worker takes what leaders of terms offer that it knows to be over.
    static let oldOffers = PlantedBugs(rawValue: 128)
    /// A node sends its callers to the node in the last row it has seen, whoever that is.
    static let blindRedirect = PlantedBugs(rawValue: 256)
    /// A commit loses a job's new version.
    static let lostJob = PlantedBugs(rawValue: 512)
    /// A node's process ends when it loses its office.
    static let endsWithOffice = PlantedBugs(rawValue: 1_024)
    /// Leaders go by their own clocks.
    static let ownClock = PlantedBugs(rawValue: 2_048)
}
