// PostgresClient: libpq on the event loop.
//
// A connection is an actor on the loop around one libpq connection in non-blocking pipeline mode. Requests of many
// callers are written one behind the other and answered in that order; each ends with a Sync of its own, so that the
// failure of one does not touch the next. What the callers of one turn have asked for goes out together at its end.
//
// Invariants
// - Nothing here blocks the loop: names are looked up, and cancel requests sent, on threads of their own.
// - Every request has a deadline. A connection that let one pass while it was being answered is closed: what it would
//   say later could not be told from the next answer. All that was in flight on it fails, outcome unknown.
// - `mayHaveHappened` in an error is the truth: false only if the server cannot have executed the request.
// - A session is never left inside a transaction. A transaction goes out as one piece, BEGIN to COMMIT; if a statement
//   of it fails, the server skips the rest, a ROLLBACK follows, and requests which had been sent in between, and which
//   the server therefore refused unexecuted, are sent again without their callers noticing.
// - Statements are parsed once a session and kept by their text in a bounded cache. Each is parsed by a request of its
//   own, ahead of the one that needs it, so that a failing transaction cannot keep it from being parsed. Therefore a
//   transaction cannot use a table that it creates itself: that is what `script` is for.
// - No parameter's value gets into an error or a log.
//
// Knows nothing of jobs and runs; refuses COPY, cursors, and transactions that are held open while a caller thinks.

/// First in, first out, without moving the rest for each that leaves.
struct RequestQueue<Element> {
    private var elements: [Element] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { head == elements.count }
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func prepend(_ element: Element) {
        if head > 0 {
            head -= 1
            elements[head] = element
        } else {
            elements.insert(element, at: 0)
        }
    }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 64, head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Takes out the first for which the condition holds.
    mutating func remove(where matches: (Element) -> Bool) -> Element? {
        guard let index = elements[head...].firstIndex(where: matches) else { return nil }
        return elements.remove(at: index)
    }

    func contains(where matches: (Element) -> Bool) -> Bool { elements[head...].contains(where: matches) }

    mutating func removeAll() -> [Element] {
        defer {
            elements = []
            head = 0
        }
        return Array(elements[head...])
    }
}
