// The description of the Cronicle dialect in OpenAPI 3.1, as cronicle.json beside this folder has it, byte for byte. A C
// target because the compiler embeds a file of any length at once, where a literal in Swift would take long to compile
// and resources would be files beside the executable.
#pragma once
#include <stddef.h>

/// The document's bytes, which live as long as the process.
const unsigned char *_Nonnull carillon_cronicle_openapi(size_t *_Nonnull count);
