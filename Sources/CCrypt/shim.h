// libcrypt (libxcrypt) as the target Crypto uses it; no other target imports this module.
#pragma once
#include <crypt.h>
