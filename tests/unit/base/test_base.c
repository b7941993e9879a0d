#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/msgpack.h"
#include "base/ordered.h"
#include "base/prng.h"
#include "base/status.h"
#include "base/utf8.h"

static void test_error_message_is_cut_at_a_character(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'x', sizeof text);
    /* 382 bytes, then a three-byte character across the end of the 384-byte message. */
    memcpy(text + 382, "\xe2\x82\xac", 3);
    text[599] = '\0';
    struct error error;
    assert_int_equal(error_set(&error, ERR_IO, "%s", text), ERR_IO);
    assert_int_equal(strlen(error.message), 382);
    assert_string_equal(error.sqlstate, "58030");
    assert_int_equal(error_sql(&error, "42601", 7, "syntax error"), ERR_SQL);
    assert_string_equal(error.sqlstate, "42601");
    assert_int_equal(error.position, 7);
}

static void test_buffer_over_its_maximum_fails_and_sticks(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10);
    assert_int_equal(buffer_append(&buffer, "123456", 6), OK);
    assert_int_equal(buffer_append(&buffer, "12345", 5), ERR_TOO_LONG);
    assert_int_equal(buffer.size, 6);
    assert_int_equal(buffer_append(&buffer, "1", 1), ERR_TOO_LONG);
    assert_true(buffer.failed);
    buffer_reset(&buffer);
    assert_int_equal(buffer_append(&buffer, "1234567890", 10), OK);
    buffer_free(&buffer);
}

static void test_crc32c_of_rfc3720(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0};
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

static void test_map_agrees_with_an_array(void **state)
{
    (void)state;
    enum { KEYS = 300, STEPS = 20000 };
    static int values[KEYS];
    void *model[KEYS] = {0};
    struct map map = {0};
    struct prng prng;
    prng_seed(&prng, 1);
    for (int step = 0; step < STEPS; step++) {
        uint32_t key = (uint32_t)prng_below(&prng, KEYS);
        struct slice name = slice_make(&key, sizeof key);
        if (prng_chance(&prng, 1, 2)) {
            assert_ptr_equal(map_put(&map, name, &values[key]), model[key]);
            model[key] = &values[key];
        } else {
            assert_ptr_equal(map_remove(&map, name), model[key]);
            model[key] = NULL;
        }
    }
    uint32_t live = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        assert_ptr_equal(map_get(&map, slice_make(&key, sizeof key)), model[key]);
        live += model[key] != NULL;
    }
    assert_int_equal(map.count, live);
    map_free(&map);
}

enum { ORDERED_KEY_MAX = 302 };

/* In the order of numbers, of several sizes. */
static struct slice ordered_key(uint32_t number, uint8_t key[ORDERED_KEY_MAX])
{
    memset(key, 0, ORDERED_KEY_MAX);
    key[0] = (uint8_t)(number >> 8);
    key[1] = (uint8_t)number;
    return slice_make(key, 2 + number % 7 * 50);
}

static void ordered_compare(const struct ordered *map, const bool *there, uint32_t keys)
{
    const struct ordered_node *at = ordered_first(map), *before = NULL;
    uint64_t count = 0;
    for (uint32_t i = 0; i < keys; i++) {
        uint8_t bytes[ORDERED_KEY_MAX];
        struct slice key = ordered_key(i, bytes);
        struct ordered_node *found = ordered_find(map, key);
        assert_ptr_equal(ordered_before(map, key), before);
        assert_true((found != NULL) == there[i]);
        if (!there[i])
            continue;
        assert_ptr_equal(found, at);
        assert_ptr_equal(found->previous, before);
        assert_in_range(found->value.size, 1, 2);
        assert_memory_equal(found->value.data, key.data, found->value.size);
        before = at;
        at = ordered_next(at);
        count++;
    }
    assert_null(at);
    assert_ptr_equal(ordered_before(map, slice_make(NULL, 0)), before);
    assert_int_equal(map->count, count);
}

/* Runs of ascending keys, with leaps back, some of them there already; removals between runs. */
static void ordered_against_array(struct ordered *map, bool removes)
{
    enum { KEYS = 1000 };
    bool there[KEYS] = {0};
    struct prng prng;
    prng_seed(&prng, 7);
    for (int run = 0; run < 200; run++) {
        struct ordered_finger finger = {0};
        uint32_t at = (uint32_t)prng_below(&prng, KEYS);
        uint32_t step = 1 + (uint32_t)prng_below(&prng, run % 2 ? 4 : 100);
        for (int i = 0; i < 20; i++) {
            uint8_t bytes[ORDERED_KEY_MAX];
            struct slice key = ordered_key(at, bytes), value = slice_make(bytes, 1 + (size_t)i % 2);
            struct ordered_node *node = run % 5   ? ordered_add_next(map, &finger, key)
                                        : run % 2 ? ordered_put(map, key, value)
                                                  : ordered_add(map, key);
            assert_true(slice_equal(node->key, key));
            if (run % 5 || run % 2 == 0)
                ordered_set(map, node, value);
            there[at] = true;
            at = prng_chance(&prng, 1, 10) ? (uint32_t)prng_below(&prng, KEYS)
                                           : (at + (uint32_t)prng_below(&prng, step + 1)) % KEYS;
        }
        ordered_compare(map, there, KEYS);
        for (uint32_t i = 0; removes && i < KEYS; i++) {
            uint8_t key[ORDERED_KEY_MAX];
            if (there[i] && prng_chance(&prng, 1, run % 10 == 9 ? 1 : 20)) {
                ordered_remove(map, ordered_find(map, ordered_key(i, key)));
                there[i] = false;
            }
        }
    }
}

static void test_ordered_agrees_with_an_array(void **state)
{
    (void)state;
    struct ordered map;
    ordered_init(&map);
    ordered_against_array(&map, true);
    ordered_free(&map);
    assert_int_equal(map.count, 0);
    struct arena arena = {0};
    ordered_init_in(&map, &arena);
    ordered_against_array(&map, false);
    arena_free(&arena);
}

static void test_arena_keeps_a_text(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer text = {0};
    assert_string_equal(arena_keep_text(&arena, &text), "");
    buffer_append_string(&text, "some text");
    assert_string_equal(arena_keep_text(&arena, &text), "some text");
    assert_true(text.size == 0 && !text.data);
    arena_free(&arena);
}

static void test_arena_keeps_its_contents_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    uint8_t *blocks[200];
    for (int i = 0; i < 200; i++) {
        blocks[i] = arena_alloc(&arena, (size_t)i * 3 + 1);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], i, (size_t)i * 3 + 1);
    }
    for (int i = 0; i < 200; i++)
        for (int at = 0; at < i * 3 + 1; at++)
            assert_int_equal(blocks[i][at], i);
    assert_true(arena.used > 200 * 300 && arena.used < 100000);
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    arena_free(&arena);
}

static void test_msgpack_round_trip(void **state)
{
    (void)state;
    static const int64_t ints[] = {
        0,  1,   127, 128,  255,  256,    65535,  65536,  4294967295,  4294967296,  INT64_MAX,
        -1, -32, -33, -128, -129, -32768, -32769, -65536, -2147483648, -2147483649, INT64_MIN};
    static const double reals[] = {0.0, -0.0, 1.5, 0.1, 1e300, -1e-300};
    struct buffer out = {0};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        msgpack_put_int(&out, ints[i]);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        msgpack_put_double(&out, reals[i]);
    msgpack_put_nil(&out);
    msgpack_put_bool(&out, true);
    msgpack_put_uint(&out, UINT64_MAX);
    msgpack_put_str(&out, slice_from_string("hello"));
    msgpack_put_bin(&out, slice_make("\0\1", 2));
    size_t begin = msgpack_bin_begin(&out);
    msgpack_put_str(&out, slice_from_string("within"));
    msgpack_bin_end(&out, begin);
    begin = msgpack_bin_begin(&out);
    msgpack_bin_end(&out, begin);
    struct msgpack_reader reader;
    struct msgpack_value value;
    msgpack_reader_init(&reader, buffer_slice(&out));
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        assert_true(msgpack_get_int(&reader) == ints[i]);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        assert_true(msgpack_next(&reader, &value));
        assert_int_equal(value.type, MSGPACK_DOUBLE);
        assert_memory_equal(&value.as.real, &reals[i], sizeof reals[i]);
    }
    assert_true(msgpack_next(&reader, &value) && value.type == MSGPACK_NIL);
    assert_true(msgpack_next(&reader, &value) && value.type == MSGPACK_BOOL && value.as.boolean);
    assert_true(msgpack_get_uint(&reader) == UINT64_MAX);
    assert_true(slice_equal(msgpack_get_str(&reader), slice_from_string("hello")));
    assert_int_equal(msgpack_get_bin(&reader).size, 2);
    assert_true(slice_equal(msgpack_get_bin(&reader), slice_from_string("\xa6within")));
    assert_int_equal(msgpack_get_bin(&reader).size, 0);
    assert_true(msgpack_done(&reader));
    buffer_free(&out);
}

static void test_msgpack_refuses_lengths_that_cannot_be_true(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xdd\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff\x61", "\xdb\x00", "\xc1", "\xcf\x01",
        "\x82\x01\x02"};
    static const size_t sizes[] = {5, 6, 2, 1, 2, 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct msgpack_reader reader;
        struct msgpack_value value;
        msgpack_reader_init(&reader, slice_make(bad[i], sizes[i]));
        assert_false(msgpack_next(&reader, &value));
        assert_true(reader.failed);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(utf8_valid(slice_from_string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98")));
    static const char *const bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "a\x80",    "\xe2\x82",     "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_valid(slice_from_string(bad[i])));
    for (uint32_t c = 0; c <= 0x110000; c += 17) {
        uint8_t bytes[4];
        uint32_t back = 0;
        size_t length = utf8_encode(c, bytes);
        assert_int_equal(utf8_decode(slice_make(bytes, length), &back), length);
        assert_true(length == 0 || back == c);
    }
    /* Texts without NUL, at each length and place. */
    for (size_t size = 0; size <= 20; size++) {
        uint8_t text[20];
        for (size_t at = 0; at < size; at++) {
            memset(text, 1, sizeof text);
            text[at] = 0;
            assert_true(utf8_valid(slice_make(text, size)));
            assert_false(utf8_valid_text(slice_make(text, size)));
            text[at] = 0xff;
            assert_false(utf8_valid_text(slice_make(text, size)));
        }
        memset(text, 0x7f, sizeof text);
        if (size >= 2)
            memcpy(text + size - 2, "\xc3\xbc", 2);
        assert_true(utf8_valid_text(slice_make(text, size)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_message_is_cut_at_a_character),
        cmocka_unit_test(test_buffer_over_its_maximum_fails_and_sticks),
        cmocka_unit_test(test_crc32c_of_rfc3720),
        cmocka_unit_test(test_map_agrees_with_an_array),
        cmocka_unit_test(test_ordered_agrees_with_an_array),
        cmocka_unit_test(test_arena_keeps_a_text),
        cmocka_unit_test(test_arena_keeps_its_contents_apart),
        cmocka_unit_test(test_msgpack_round_trip),
        cmocka_unit_test(test_msgpack_refuses_lengths_that_cannot_be_true),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
