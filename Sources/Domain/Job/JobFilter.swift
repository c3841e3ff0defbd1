/// Which jobs a list is of: those of some categories and of some targets, as the Cronicle dialect shows both.
public struct JobFilter: Hashable, Sendable {
    /// Nil: all.
    public var categories: [String]?
    /// Nil: all.
    public var targets: [String]?

    public init(categories: [String]?, targets: [String]?) {
        self.categories = categories
        self.targets = targets
    }
}

/// How many jobs have a category and a target.
public struct JobPlace: Hashable, Sendable {
    public var category: String
    public var target: String
    public var count: Int64

    public init(category: String, target: String, count: Int64) {
        self.category = category
        self.target = target
        self.count = count
    }
}
