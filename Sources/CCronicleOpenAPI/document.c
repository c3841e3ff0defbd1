#include "carillon_cronicle_openapi.h"

// #embed is of C23; this compiler takes it in any C, with a warning.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char document[] = {
#embed "cronicle.json"
};

const unsigned char *carillon_cronicle_openapi(size_t *count) {
    *count = sizeof document;
    return document;
}
