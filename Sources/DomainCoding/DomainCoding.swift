// DomainCoding: values of the domain as JSON, in one form for all of our own readers.
//
// The database, the internal protocol and the workers' journal keep the same values; what one of them can keep all can.
// Keys are in snake case, durations and instants in microseconds. Reading is tolerant of what time brings: a missing
// key (or null) has the default of a new value, an unknown key is ignored. A value of the wrong type or an unknown word
// is an error (`StoreError.data`, naming the key): a limit or constraint that was silently dropped would run commands
// where or how nobody wanted them. Defaults are not written, so that what most jobs do not use costs nothing.
//
// It refuses to know: dialects, SQL, HTTP.
