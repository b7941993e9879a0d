/* The store contract, on the in-memory store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "sql/store/store.h"

static struct slice s(const char *text)
{
    return slice_from_string(text);
}

static void put(struct store_txn *txn, const char *key, const char *value)
{
    assert_int_equal(store_put(txn, s(key), s(value), NULL), OK);
}

static void expect(struct store_txn *txn, const char *key, const char *value)
{
    bool found;
    struct slice got;
    assert_int_equal(store_get(txn, s(key), &found, &got, NULL), OK);
    assert_int_equal(found, value != NULL);
    if (value)
        assert_true(slice_equal(got, s(value)));
}

/* The scan's keys one behind another, read `max` at a time. */
static const char *scan(struct store_txn *txn, const char *low, const char *high, bool reverse,
                        uint32_t max)
{
    static char out[256];
    size_t size = 0;
    struct store_cursor *cursor;
    assert_int_equal(store_scan_open(txn, s(low), s(high), reverse, &cursor, NULL), OK);
    struct store_entry entries[8];
    uint32_t count;
    do {
        assert_int_equal(store_scan_next(cursor, entries, max, &count, NULL), OK);
        for (uint32_t i = 0; i < count; i++) {
            memcpy(out + size, entries[i].key.data, entries[i].key.size);
            size += entries[i].key.size;
        }
    } while (count);
    store_scan_close(cursor);
    out[size] = '\0';
    return out;
}

static void test_writes_are_seen_by_the_writer_and_after_commit_by_all(void **state)
{
    (void)state;
    struct store_memory *store = store_memory_create();
    struct store_txn *one = store_memory_begin(store);
    struct store_txn *two = store_memory_begin(store);
    put(one, "a", "1");
    expect(one, "a", "1");
    expect(two, "a", NULL);
    store_memory_commit(one);
    expect(two, "a", NULL);
    store_memory_rollback(two);
    two = store_memory_begin(store);
    expect(two, "a", "1");
    put(two, "a", "2");
    put(two, "b", "");
    expect(two, "b", "");
    assert_int_equal(store_remove(two, s("a"), NULL), OK);
    assert_int_equal(store_remove(two, s("zz"), NULL), OK);
    expect(two, "a", NULL);
    store_memory_rollback(two);
    two = store_memory_begin(store);
    expect(two, "a", "1");
    expect(two, "b", NULL);
    store_memory_rollback(two);
    store_memory_destroy(store);
}

static void test_scans_are_half_open_and_go_both_ways(void **state)
{
    (void)state;
    struct store_memory *store = store_memory_create();
    struct store_txn *txn = store_memory_begin(store);
    const char *keys[] = {"d", "b", "a", "e", "c"};
    for (size_t i = 0; i < 5; i++)
        put(txn, keys[i], "x");
    for (uint32_t max = 1; max <= 8; max++) {
        assert_string_equal(scan(txn, "b", "d", false, max), "bc");
        assert_string_equal(scan(txn, "b", "d", true, max), "cb");
        assert_string_equal(scan(txn, "", "", false, max), "abcde");
        assert_string_equal(scan(txn, "bb", "", true, max), "edc");
        assert_string_equal(scan(txn, "d", "b", false, max), "");
        assert_string_equal(scan(txn, "f", "", false, max), "");
    }
    store_memory_commit(txn);
    store_memory_destroy(store);
}

static void test_slices_outlive_later_writes_of_the_transaction(void **state)
{
    (void)state;
    struct store_memory *store = store_memory_create();
    struct store_txn *txn = store_memory_begin(store);
    put(txn, "k", "old");
    bool found;
    struct slice value;
    assert_int_equal(store_get(txn, s("k"), &found, &value, NULL), OK);
    struct store_cursor *cursor;
    assert_int_equal(store_scan_open(txn, s("a"), s("z"), false, &cursor, NULL), OK);
    put(txn, "k", "new");
    for (char c = 'a'; c < 'z'; c++)
        put(txn, (char[]){c, '1', '\0'}, "filler");
    assert_true(slice_equal(value, s("old")));
    struct store_entry entry;
    uint32_t count;
    assert_int_equal(store_scan_next(cursor, &entry, 1, &count, NULL), OK);
    assert_int_equal(count, 1);
    assert_true(slice_equal(entry.key, s("k")));
    store_scan_close(cursor);
    store_scan_close(NULL);
    store_memory_rollback(txn);
    store_memory_destroy(store);
}

static void test_sizes_are_limited(void **state)
{
    (void)state;
    static uint8_t big[STORE_VALUE_MAX + 1];
    struct store_memory *store = store_memory_create();
    struct store_txn *txn = store_memory_begin(store);
    struct error error;
    struct slice empty = {0};
    assert_int_equal(store_put(txn, slice_make(big, STORE_KEY_MAX), empty, &error), OK);
    assert_int_equal(store_put(txn, slice_make(big, STORE_KEY_MAX + 1), empty, &error),
                     ERR_TOO_LONG);
    assert_string_equal(error.sqlstate, "54000");
    assert_int_equal(store_put(txn, s("k"), slice_make(big, STORE_VALUE_MAX), &error), OK);
    assert_int_equal(store_put(txn, s("k"), slice_make(big, STORE_VALUE_MAX + 1), &error),
                     ERR_TOO_LONG);
    store_memory_rollback(txn);
    store_memory_destroy(store);
}

/* Against an array of flags for the keys 0 to 63. */
static void test_random_writes_agree_with_a_set(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 3);
    struct store_memory *store = store_memory_create();
    bool committed[64] = {0};
    for (int round = 0; round < 300; round++) {
        bool mine[64];
        memcpy(mine, committed, sizeof mine);
        struct store_txn *txn = store_memory_begin(store);
        for (int i = 0; i < 20; i++) {
            uint8_t key = (uint8_t)prng_below(&prng, 64);
            mine[key] = prng_chance(&prng, 1, 2);
            struct slice bytes = slice_make(&key, 1);
            assert_int_equal(mine[key] ? store_put(txn, bytes, bytes, NULL)
                                       : store_remove(txn, bytes, NULL),
                             OK);
        }
        struct store_cursor *cursor;
        assert_int_equal(
            store_scan_open(txn, (struct slice){0}, (struct slice){0}, false, &cursor, NULL), OK);
        for (uint8_t key = 0; key < 64; key++) {
            struct store_entry entry;
            uint32_t count;
            if (!mine[key])
                continue;
            assert_int_equal(store_scan_next(cursor, &entry, 1, &count, NULL), OK);
            assert_int_equal(count, 1);
            assert_int_equal(entry.key.data[0], key);
        }
        store_scan_close(cursor);
        if (prng_chance(&prng, 1, 3)) {
            store_memory_rollback(txn);
        } else {
            store_memory_commit(txn);
            memcpy(committed, mine, sizeof mine);
        }
    }
    store_memory_destroy(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_are_seen_by_the_writer_and_after_commit_by_all),
        cmocka_unit_test(test_scans_are_half_open_and_go_both_ways),
        cmocka_unit_test(test_slices_outlive_later_writes_of_the_transaction),
        cmocka_unit_test(test_sizes_are_limited),
        cmocka_unit_test(test_random_writes_agree_with_a_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
