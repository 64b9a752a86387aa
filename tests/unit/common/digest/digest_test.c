/* Against the examples of FIPS 180-4 (via NIST) and RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "digest.h"

static void sha256_of_examples(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_DIGITS + 1];
    digest_sha256("abc", 3, digest);
    digest_hex(digest, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256("", 0, digest);
    digest_hex(digest, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void hmac_of_an_example(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_DIGITS + 1];
    static const char text[] = "what do ya want for nothing?";
    digest_hmac_sha256("Jefe", 4, text, strlen(text), digest);
    digest_hex(digest, hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void equal_only_if_every_byte_is(void **state)
{
    (void)state;
    uint8_t a[DIGEST_BYTES] = {0};
    uint8_t b[DIGEST_BYTES] = {0};
    assert_true(digest_equals(a, b));
    for (int i = 0; i < DIGEST_BYTES; i++) {
        b[i] = 1;
        assert_false(digest_equals(a, b));
        b[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_examples),
        cmocka_unit_test(hmac_of_an_example),
        cmocka_unit_test(equal_only_if_every_byte_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
