/* Patterns taken apart match what like_match matches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "sql/types/types.h"

static struct arena arena;
static struct prng prng;

static bool matches(const char *text, const char *pattern)
{
    struct like_parts parts;
    bool valid;
    struct slice t = slice_from_string(text), p = slice_from_string(pattern);
    assert_true(like_parts_make(p, '\\', &arena, &parts));
    bool found = like_parts_match(&parts, t);
    assert_int_equal(found, like_match(t, p, '\\', false, NULL, &valid));
    return found;
}

static void test_where_a_literal_may_be(void **state)
{
    (void)state;
    assert_true(matches("abc", "abc"));
    assert_false(matches("abcd", "abc"));
    assert_false(matches("ab", "abc"));
    assert_true(matches("abcd", "abc%"));
    assert_true(matches("xabc", "%abc"));
    assert_false(matches("abcx", "%abc"));
    assert_true(matches("ab", "a%b"));
    assert_false(matches("a", "a%a")); /* the two must not share it */
    assert_true(matches("", "%"));
    assert_true(matches("", "%%"));
    assert_false(matches("", "%a%"));
    assert_true(matches("special requests", "%special%requests%"));
    assert_false(matches("requests special", "%special%requests%"));
    assert_false(matches("speciarequests", "%special%requests%"));
    assert_true(matches("100%", "100\\%"));
    assert_false(matches("1000", "100\\%"));
    assert_true(matches("0123456789 0123456789 needle", "%needle"));
    assert_true(matches("0123456789 0123456needle89", "%needle%"));
}

static void test_patterns_for_the_other_way(void **state)
{
    (void)state;
    struct like_parts parts;
    static const char *const others[] = {"", "a_c", "ab\\", "%_",
                                         "0123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(like_parts_make(slice_from_string(others[i]), '\\', &arena, &parts));
    /* Without an escape character a backslash is one like others. */
    assert_true(like_parts_make(slice_from_string("a\\"), LIKE_ESCAPE_NONE, &arena, &parts));
    assert_true(like_parts_match(&parts, slice_from_string("a\\")));
    assert_false(like_parts_make(slice_from_string("a"), 0x20ac, &arena, &parts));
    uint8_t broken[] = {0xc3};
    assert_false(like_parts_make(slice_make(broken, 1), '\\', &arena, &parts));
}

/* Few letters, so that there is much to be found. */
static struct slice random_text(uint8_t *room, size_t pieces, const char *const *from, size_t kinds)
{
    size_t size = 0;
    for (size_t i = 0; i < pieces; i++) {
        const char *piece = from[prng_below(&prng, kinds)];
        memcpy(room + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return slice_make(room, size);
}

static void test_random_patterns(void **state)
{
    (void)state;
    static const char *const letters[] = {"a", "b", "a", "\xc3\xa4", "\xe2\x82\xac", "%", "\\"};
    static const char *const items[] = {"a", "b",  "\xc3\xa4", "\xe2\x82\xac", "%",
                                        "%", "ab", "\\%",      "\\\\"};
    uint8_t text_room[400], pattern_room[100];
    uint32_t found = 0, taken = 0;
    prng_seed(&prng, 11);
    for (int i = 0; i < 200000; i++) {
        struct slice text = random_text(text_room, prng_below(&prng, 60), letters, 7);
        struct slice pattern = random_text(pattern_room, prng_below(&prng, 9), items, 9);
        struct like_parts parts;
        bool valid;
        if (!like_parts_make(pattern, '\\', &arena, &parts))
            continue;
        taken++;
        bool expected = like_match(text, pattern, '\\', false, NULL, &valid);
        assert_true(valid);
        if (like_parts_match(&parts, text) != expected)
            fail_msg("%.*s LIKE %.*s", (int)text.size, text.data, (int)pattern.size, pattern.data);
        found += expected;
        arena_reset(&arena);
    }
    assert_true(taken > 150000 && found > 10000 && found < taken - 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_a_literal_may_be),
        cmocka_unit_test(test_patterns_for_the_other_way),
        cmocka_unit_test(test_random_patterns),
    };
    arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
