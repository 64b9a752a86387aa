/* SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104) of libcrypto, and comparing them. The only code
 * that includes OpenSSL. */
#ifndef COMMON_DIGEST_DIGEST_H
#define COMMON_DIGEST_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"

enum { DIGEST_BYTES = 32, DIGEST_DIGITS = 2 * DIGEST_BYTES };

void digest_sha256(const void *data, size_t size, uint8_t ret[DIGEST_BYTES]);
void digest_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                        uint8_t ret[DIGEST_BYTES]);

/* Lower-case hexadecimal digits and a final zero. */
void digest_hex(const uint8_t digest[DIGEST_BYTES], char ret[DIGEST_DIGITS + 1]);

/* 1 if equal; takes as long whatever differs, so that a stranger cannot guess byte by byte. */
int digest_equals(const uint8_t a[DIGEST_BYTES], const uint8_t b[DIGEST_BYTES]);

#endif
