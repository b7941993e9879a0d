/* The spellings of header.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/grpc_int.h"

static void test_timeout_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {
        {"1H", 3600000000}, {"2M", 120000000}, {"3S", 3000000},
        {"4m", 4000},       {"5u", 5},         {"6n", 1},
        {"1001n", 2},       {"0u", 0},         {"99999999H", 359999996400000000},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t us = 0;
        assert_true(grpc__timeout_parse(slice_from_string(good[i].text), &us));
        assert_int_equal(us, good[i].us);
    }
    static const char *const bad[] = {"", "S", "1", "1s", "100000000S", "-1S", "1 S", "1.5S", "aS"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t us;
        assert_false(grpc__timeout_parse(slice_from_string(bad[i]), &us));
    }
}

static void test_timeout_format(void **state)
{
    (void)state;
    static const uint64_t cases[] = {
        1,           999,          99999999,         100000000,
        123456789,   5000000000,   99999999000,      99999999001,
        31536000000, 360000000000, 99999999000000,   1 + 99999999000000,
        1ULL << 50,  1ULL << 53,   59999999400000000};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[16];
        grpc__timeout_format(cases[i], text);
        uint64_t us;
        assert_true(strlen(text) <= 9);
        assert_true(grpc__timeout_parse(slice_from_string(text), &us));
        assert_true(us >= cases[i]);
        assert_true(us - cases[i] <= cases[i] / 1000);
    }
    char text[16];
    grpc__timeout_format(UINT64_MAX, text);
    assert_string_equal(text, "99999999H");
}

static void test_message_coding(void **state)
{
    (void)state;
    struct buffer encoded = {0};
    struct buffer decoded = {0};
    uint8_t all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    grpc__message_encode(slice_make(all, sizeof all), &encoded);
    for (size_t i = 0; i < encoded.size; i++)
        assert_true(encoded.data[i] >= 0x20 && encoded.data[i] <= 0x7e);
    grpc__message_decode(buffer_slice(&encoded), &decoded);
    assert_true(slice_equal(buffer_slice(&decoded), slice_make(all, sizeof all)));

    grpc__message_encode(slice_from_string("50% of \xc3\xa9"), &encoded);
    assert_true(slice_equal(buffer_slice(&encoded), slice_from_string("50%25 of %C3%A9")));
    /* Broken escapes are kept. */
    grpc__message_decode(slice_from_string("a%zz%4"), &decoded);
    assert_true(slice_equal(buffer_slice(&decoded), slice_from_string("a%zz%4")));
    grpc__message_decode(slice_from_string("%c3%A9%"), &decoded);
    assert_true(slice_equal(buffer_slice(&decoded), slice_from_string("\xc3\xa9%")));

    static char large[5000];
    memset(large, 'x', sizeof large);
    grpc__message_encode(slice_make(large, sizeof large), &encoded);
    assert_int_equal(encoded.size, GRPC__STATUS_MESSAGE_MAX);
    buffer_free(&encoded);
    buffer_free(&decoded);
}

static void test_content_type(void **state)
{
    (void)state;
    assert_true(grpc__content_type_valid(slice_from_string("application/grpc")));
    assert_true(grpc__content_type_valid(slice_from_string("application/grpc+proto")));
    assert_true(grpc__content_type_valid(slice_from_string("application/grpc;charset=x")));
    assert_false(grpc__content_type_valid(slice_from_string("application/grpc-web")));
    assert_false(grpc__content_type_valid(slice_from_string("application/json")));
    assert_false(grpc__content_type_valid(slice_from_string("")));
}

static void test_codes(void **state)
{
    (void)state;
    assert_string_equal(grpc_status_name(GRPC_OK), "OK");
    assert_string_equal(grpc_status_name(GRPC_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(grpc_status_name((enum grpc_status)17), "UNKNOWN");
    assert_int_equal(grpc__status_from_http(404), GRPC_UNIMPLEMENTED);
    assert_int_equal(grpc__status_from_http(503), GRPC_UNAVAILABLE);
    assert_int_equal(grpc__status_from_http(418), GRPC_UNKNOWN);
    assert_int_equal(grpc__status_from_http2(NGHTTP2_REFUSED_STREAM), GRPC_UNAVAILABLE);
    assert_int_equal(grpc__number_parse(slice_from_string("200")), 200);
    assert_int_equal(grpc__number_parse(slice_from_string("")), -1);
    assert_int_equal(grpc__number_parse(slice_from_string("2000")), -1);
    assert_int_equal(grpc__number_parse(slice_from_string("2x")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeout_parse),  cmocka_unit_test(test_timeout_format),
        cmocka_unit_test(test_message_coding), cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
