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
}
