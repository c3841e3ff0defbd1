// Compression: gzip (RFC 1952) by zlib, whole or piece by piece.
//
// `Gzip` compresses and expands what fits into memory at once; `GzipWriter` and `GzipReader` do it with a bounded
// piece at a time. All of it is pure, and belongs on a `BlockingPool` where it is large. Tiny texts are framed as gzip
// without being compressed: setting up zlib costs more than they would save.
//
// It refuses to know: files, sockets, HTTP.
