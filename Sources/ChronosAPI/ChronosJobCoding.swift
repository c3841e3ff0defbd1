import Domain

/// Chronos' JSON of a job, in both directions (chronos.md §2). Decoding and encoding are extensions in files of their
/// own.
enum ChronosJobCoding {
    /// Which of the two routes a job was posted to.
    enum Kind: Sendable {
        case scheduled
        case dependent
    }

    /// What a job without schedule and parents gets: one run, now.
    static let onceNow = "R1//PT24H"
    /// How a job that nothing but a request starts is shown. Posted back, it means the same.
    static let never = "R0//PT24H"
}
