// Operations: what can be asked of Carillon, whatever the dialect in which it is asked.
//
// One method a use case. Each takes the principal who asks, checks the privilege, checks the input, and either reads
// through a port or hands one command to the leader of this node; it answers when the command's transaction has
// committed. Dialects translate into these calls and back, and decide nothing themselves.
//
// Invariants
// - No command reaches the leader that the leader could refuse without looking at other jobs: names, limits, schedules
//   and constraints are checked here, outside the leader's turn. What depends on other jobs (existence and cycles of
//   parents, free names) is the leader's to check, in its turn, since only there it cannot change meanwhile.
// - No text with a NUL character gets further than here: neither the database nor a command line can hold one.
// - A privilege is checked before anything is looked up, so that an answer tells nothing to those who may not know. The
//   one exception is putting a job, where the privilege depends on whether the job exists.
//
// It refuses to know: HTTP, JSON, SQL. The store is seen through the small protocols of Ports.swift.
//
// Callers: the dialects' resources and the node's request pipeline.

/// A text from outside, quoted for a message: at most 80 characters of it.
public func quoted(_ text: String) -> String {
    let excerptLength = 80
    let excerpt = text.prefix(excerptLength)
    return excerpt.endIndex == text.endIndex ? "'\(excerpt)'" : "'\(excerpt)…'"
}
