#include "digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void digest_sha256(const void *data, size_t size, uint8_t ret[DIGEST_BYTES])
{
    unsigned written = 0;
    int done = EVP_Digest(data, size, ret, &written, EVP_sha256(), NULL);
    ASSERT(done == 1 && written == DIGEST_BYTES);
}

void digest_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                        uint8_t ret[DIGEST_BYTES])
{
    unsigned written = 0;
    ASSERT(key_size <= INT_MAX);
    const uint8_t *done = HMAC(EVP_sha256(), key, (int)key_size, data, size, ret, &written);
    ASSERT(done != NULL && written == DIGEST_BYTES);
}

void digest_hex(const uint8_t digest[DIGEST_BYTES], char ret[DIGEST_DIGITS + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < DIGEST_BYTES; i++) {
        *ret++ = digits[digest[i] >> 4];
        *ret++ = digits[digest[i] & 15];
    }
    *ret = '\0';
}

int digest_equals(const uint8_t a[DIGEST_BYTES], const uint8_t b[DIGEST_BYTES])
{
    return CRYPTO_memcmp(a, b, DIGEST_BYTES) == 0;
}
