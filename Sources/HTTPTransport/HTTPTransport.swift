// HTTPTransport: HTTP over sockets, both directions, on the one loop.
//
// The server reads, lets `HTTP`'s strict parser judge, runs the handler as a task on the loop and writes; the client is
// libcurl's multi interface driven by the loop. Neither has threads of its own but for name look-ups and large
// compressions.
//
// Invariants
// - Everything a client can make the server keep or wait for has a limit in `HTTPServerConfiguration`: bytes, time,
//   rate, connections. A client that breaks one is answered where that is possible, and closed.
// - Requests of one connection are answered in order. The next is parsed when the answer before has left.
// - After a refusal by the parser the connection is closed: where the next request would begin is not known.
// - A descriptor leaves the loop before it is closed.
// - A connection that waits for a request owns no buffer: ten thousand of them are a few megabytes.
// - A server with TLS computes no handshake on the loop, and one that takes too long is ended.
//
// It refuses to know routes, keys and leaders; to speak HTTP/2 or upgrades; and, as a client, to use proxies, other
// protocols than http and https, or to follow redirects unless asked.
//
// Callers: `Node` and the worker build one server and one client each; tests do the same with small limits.
