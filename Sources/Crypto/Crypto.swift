// Crypto: digests, message authentication, random bytes, the text codings of keys, and TLS for servers.
//
// Everything cryptographic is OpenSSL's; nothing is written by hand, and no other target imports COpenSSL. All
// functions are pure but for RandomBytes, may be called from any thread and hold no key after they return. TLS alone
// has state: a `TLSServerContext` is shared by all, a `TLSChannel` belongs to one connection and reads and writes its
// descriptor. OpenSSL's queue of errors belongs to the thread, and libcurl and libpq leave errors of their own in it:
// each call here begins with an empty one.
// Hex and Base64URL are codings of public or random text; they do not run in constant time. Compare what is secret with
// constantTimeEqual, never with ==.

import COpenSSL

/// Whether two byte strings are equal, in a time that depends only on their lengths.
///
/// The lengths themselves are not hidden: compare digests of fixed size where the length is secret.
public func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return CRYPTO_memcmp(left, right, left.count) == 0
}
