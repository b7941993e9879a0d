/* What txn.h promises at its edges. Stories are in tests/golden/mvcc, the certifier's random test
 * in tests/model/mvcc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kv_world.h"
#include "txn/txn_int.h"

static struct error error;

static struct slice text(const char *bytes)
{
    return slice_from_string(bytes);
}

static void begin(struct world *world, struct txn *txn, uint64_t version)
{
    struct kv_snapshot *snapshot;
    assert_int_equal(kv_publish(world->kv, &error), OK);
    assert_int_equal(kv_snapshot_open(world->kv, &snapshot, &error), OK);
    txn_init(txn, snapshot, version, false);
}

static void encode(const struct txn *txn, const char *origin, uint64_t sequence,
                   struct buffer *bytes, struct txn_request *request)
{
    struct txn_id id = {.origin = text(origin), .sequence = sequence};
    buffer_reset(bytes);
    assert_int_equal(txn_request_encode(txn, id, text("reply"), bytes), OK);
    assert_int_equal(txn_request_decode(buffer_slice(bytes), request), OK);
}

static bool noted(const struct txn *txn, struct slice key)
{
    for (uint32_t i = 0; i < txn->range_count; i++) {
        const struct txn_range *range = &txn->ranges[i];
        if (range->point ? slice_equal(range->low, key)
                         : slice_compare(range->low, key) <= 0 &&
                               (range->high.size == 0 || slice_compare(key, range->high) < 0))
            return true;
    }
    return false;
}

/* However many keys are read, the list stays bounded and forgets none. */
static void test_many_reads(void **state)
{
    struct world *world = *state;
    enum { READS = 3 * TXN_RANGES_MAX };
    struct txn txn;
    struct slice value;
    begin(world, &txn, 0);
    for (uint32_t i = 0; i < READS; i++) {
        uint8_t key[8] = {'k'};
        put_u32_be(key + 1, i * 2654435761u);
        if (i % 5 == 0) {
            struct txn_scan scan;
            struct slice got;
            uint8_t high[8] = {'k'};
            put_u32_be(high + 1, i * 2654435761u + 10);
            struct slice end = i % 1000 == 0 ? (struct slice){0} : slice_make(high, 5);
            assert_int_equal(
                txn_scan_open(&txn, &scan, slice_make(key, 5), end, i % 2 == 0, &error), OK);
            assert_int_equal(txn_scan_next(&scan, &got, &value, &error), ERR_NOT_FOUND);
            txn_scan_close(&scan);
        } else {
            assert_int_equal(txn_get(&txn, slice_make(key, 5), &value, &error), ERR_NOT_FOUND);
        }
        assert_true(txn.range_count <= TXN_RANGES_MAX);
    }
    for (uint32_t i = 0; i < READS; i++) {
        uint8_t key[8] = {'k'};
        put_u32_be(key + 1, i * 2654435761u);
        assert_true(noted(&txn, slice_make(key, 5)));
    }
    txn_free(&txn);
}

/* Ranges grow together within what their keys begin with alike, long before they reach beyond. */
static void test_many_reads_of_two_tables(void **state)
{
    struct world *world = *state;
    struct txn txn;
    struct slice value;
    char key[16];
    begin(world, &txn, 0);
    assert_int_equal(txn_get(&txn, text("catalog"), &value, &error), ERR_NOT_FOUND);
    for (uint32_t i = 0; i < 3 * TXN_RANGES_MAX; i++) {
        snprintf(key, sizeof key, "%s/%06u", i % 3 ? "t1" : "t3", i);
        assert_int_equal(txn_get(&txn, text(key), &value, &error), ERR_NOT_FOUND);
    }
    assert_true(txn.range_count <= TXN_RANGES_MAX);
    assert_true(noted(&txn, text("catalog")));
    static const char *const others[] = {"cat",  "catalog2",  "s",   "t1",
                                         "t1/9", "t2/000500", "t3/", "u"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(noted(&txn, text(others[i])));
    txn_free(&txn);
}

/* Keys read one behind the other are one range, which covers them and no other; each of two such
 * runs, too, that take turns. */
static void test_reads_in_a_row(void **state)
{
    struct world *world = *state;
    struct txn txn;
    struct slice value = text("v");
    uint8_t key[5] = {'k'}, other[5] = {'l'}, longer[6] = {'l'};
    put_u32_be(key + 1, 6000);
    assert_int_equal(mvcc_write(world->kv, slice_make(key, 5), 1, &value, NULL, &error), OK);
    begin(world, &txn, 1);
    for (uint32_t i = 1000; i < 5000; i++) {
        put_u32_be(key + 1, i);
        put_u32_be(other + 1, i + 20);
        assert_int_equal(txn_get(&txn, slice_make(key, 5), &value, &error), ERR_NOT_FOUND);
        assert_int_equal(txn_get(&txn, slice_make(other, 5), &value, &error), ERR_NOT_FOUND);
    }
    assert_int_equal(txn.range_count, 2);
    for (uint32_t i = 990; i < 5030; i++) {
        put_u32_be(key + 1, i);
        put_u32_be(other + 1, i);
        assert_int_equal(noted(&txn, slice_make(key, 5)), i >= 1000 && i < 5000);
        assert_int_equal(noted(&txn, slice_make(other, 5)), i >= 1020 && i < 5020);
    }
    /* One that does not follow, and one of another size. */
    put_u32_be(key + 1, 6000);
    put_u32_be(longer + 1, 5020);
    assert_int_equal(txn_get(&txn, slice_make(key, 5), &value, &error), OK);
    assert_int_equal(txn_get(&txn, slice_make(longer, 6), &value, &error), ERR_NOT_FOUND);
    assert_int_equal(txn.range_count, 4);
    txn_free(&txn);
}

/* A key that cannot be there cannot be in conflict; it must not spoil the request. */
static void test_impossible_keys(void **state)
{
    struct world *world = *state;
    uint8_t key[MVCC_KEY_MAX + 500];
    memset(key, 'k', sizeof key);
    struct txn txn;
    struct slice value;
    begin(world, &txn, 0);
    assert_int_equal(txn_get(&txn, slice_make(key, sizeof key), &value, &error), ERR_NOT_FOUND);
    assert_int_equal(txn_get(&txn, slice_make(key, MVCC_KEY_MAX), &value, &error), ERR_NOT_FOUND);
    assert_int_equal(txn_get(&txn, text(""), &value, &error), ERR_NOT_FOUND);
    assert_int_equal(txn.range_count, 1);
    value = text("v");
    assert_int_equal(txn_write(&txn, text("a"), &value), OK);
    struct buffer bytes = {0};
    struct txn_request request;
    encode(&txn, "o", 1, &bytes, &request);
    buffer_free(&bytes);
    txn_free(&txn);
}

static void test_messages(void **state)
{
    struct world *world = *state;
    struct txn txn;
    begin(world, &txn, 77);
    struct slice value = text("value");
    assert_int_equal(txn_write(&txn, text("b"), &value), OK);
    assert_int_equal(txn_write(&txn, text("a"), NULL), OK);
    struct buffer bytes = {0}, effect_bytes = {0};
    struct txn_request request;
    encode(&txn, "origin", 5, &bytes, &request);
    assert_int_equal(request.read_version, 77);
    assert_int_equal(request.id.sequence, 5);
    struct txn_effect effect;
    txn_effect_encode(&request, 99, &effect_bytes);
    assert_int_equal(txn_effect_decode(buffer_slice(&effect_bytes), &effect), OK);
    assert_int_equal(effect.version, 99);
    assert_true(slice_equal(effect.id.origin, text("origin")));
    assert_true(slice_equal(effect.reply, text("reply")));
    struct txn_write_cursor cursor;
    struct slice key = {0};
    bool tombstone = false;
    txn_writes_begin(effect.writes, &cursor);
    assert_true(txn_writes_next(&cursor, &key, &value, &tombstone));
    assert_true(slice_equal(key, text("a")) && tombstone);
    assert_true(txn_writes_next(&cursor, &key, &value, &tombstone));
    assert_true(slice_equal(key, text("b")) && !tombstone && slice_equal(value, text("value")));
    assert_false(txn_writes_next(&cursor, &key, &value, &tombstone));
    /* Any prefix is refused. */
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(txn_request_decode(slice_make(bytes.data, size), &request), ERR_PROTOCOL);
    for (size_t size = 0; size < effect_bytes.size; size++)
        assert_int_equal(txn_effect_decode(slice_make(effect_bytes.data, size), &effect),
                         ERR_CORRUPT);
    buffer_free(&bytes);
    buffer_free(&effect_bytes);
    txn_free(&txn);
}

static void test_foreign_replies_are_bounded(void **state)
{
    (void)state;
    static const uint8_t long_reply[TXN_REPLY_MAX + 1];
    static const uint8_t no_writes = 0x90;
    struct txn_request request = {.id = {.origin = text("o"), .sequence = 1},
                                  .reply = slice_make(long_reply, sizeof long_reply),
                                  .writes = slice_make(&no_writes, 1)};
    struct buffer bytes = {0};
    struct txn_effect effect;
    txn_effect_encode(&request, 1, &bytes);
    assert_int_equal(txn_effect_decode(buffer_slice(&bytes), &effect), ERR_CORRUPT);
    buffer_free(&bytes);
}

static void apply(struct world *world, const char *origin, uint64_t sequence, uint64_t version,
                  bool refusal, bool fresh_expected)
{
    static const uint8_t no_writes = 0x90;
    struct txn_effect effect = {.version = version,
                                .id = {.origin = text(origin), .sequence = sequence},
                                .reply = text("reply"),
                                .writes = slice_make(&no_writes, 1)};
    bool fresh;
    status_t status = refusal ? txn_refusal_apply(world->kv, &effect, &fresh, &error)
                              : txn_effect_apply(world->kv, &effect, false, NULL, &fresh, &error);
    assert_int_equal(status, OK);
    assert_int_equal(fresh, fresh_expected);
}

static void test_outcomes(void **state)
{
    struct world *world = *state;
    struct txn_outcome outcome;
    assert_int_equal(txn_outcome_get(world->kv, text("o"), &outcome, &error), ERR_NOT_FOUND);
    apply(world, "o", 5, 100, false, true);
    apply(world, "o", 5, 101, false, false);
    apply(world, "o", 4, 102, false, false);
    apply(world, "o", 5, 103, true, false);
    assert_int_equal(txn_outcome_get(world->kv, text("o"), &outcome, &error), OK);
    assert_true(outcome.sequence == 5 && outcome.version == 100 && !outcome.refused);
    assert_true(slice_equal(outcome.reply, text("reply")));
    apply(world, "o", 6, 104, true, true);
    apply(world, "o", 5, 105, false, false);
    assert_int_equal(txn_outcome_get(world->kv, text("o"), &outcome, &error), OK);
    assert_true(outcome.sequence == 6 && outcome.version == 104 && outcome.refused);
    assert_int_equal(outcome.reply.size, 0);
    /* Another attempt under the same sequence: refused once more, then committed for good. */
    apply(world, "o", 6, 106, true, true);
    assert_int_equal(txn_outcome_get(world->kv, text("o"), &outcome, &error), OK);
    assert_true(outcome.version == 106 && outcome.refused);
    apply(world, "o", 6, 107, false, true);
    apply(world, "o", 6, 108, true, false);
    apply(world, "o", 6, 109, false, false);
    assert_int_equal(txn_outcome_get(world->kv, text("o"), &outcome, &error), OK);
    assert_true(outcome.sequence == 6 && outcome.version == 107 && !outcome.refused);
}

/* In pieces, as the log's entries ask for it; doing a piece again changes nothing more. */
static void test_outcomes_expire(void **state)
{
    struct world *world = *state;
    for (uint64_t i = 0; i < 50; i++) {
        char origin[8];
        snprintf(origin, sizeof origin, "o%02u", (unsigned)i);
        apply(world, origin, 1, 100 + i * 7 % 50, false, true);
    }
    struct buffer start = {0}, end = {0};
    uint32_t pieces = 0;
    do {
        uint64_t newest;
        assert_int_equal(
            txn_outcomes_piece(world->kv, 120, buffer_slice(&start), 7, &end, &newest, &error), OK);
        assert_true(newest == 0 || (newest >= 100 && newest < 120));
        for (int time = 0; time < 2; time++)
            assert_int_equal(txn_outcomes_expire(world->kv, 120, buffer_slice(&start),
                                                 buffer_slice(&end), &error),
                             OK);
        struct buffer old = start;
        start = end;
        end = old;
        pieces++;
    } while (start.size);
    assert_int_equal(pieces, 8);
    for (uint64_t i = 0; i < 50; i++) {
        char origin[8];
        struct txn_outcome outcome;
        snprintf(origin, sizeof origin, "o%02u", (unsigned)i);
        assert_int_equal(txn_outcome_get(world->kv, text(origin), &outcome, &error),
                         100 + i * 7 % 50 < 120 ? ERR_NOT_FOUND : OK);
    }
    buffer_free(&start);
    buffer_free(&end);
}

/* A leader that falls with a large transaction on its way forgets it in time linear in its size. */
static void test_rewind_of_many(void **state)
{
    struct world *world = *state;
    enum { KEYS = 60000 };
    struct txn txn;
    begin(world, &txn, 0);
    struct slice value = text("v");
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t key[5] = {'k'};
        put_u32_be(key + 1, i);
        assert_int_equal(txn_write(&txn, slice_make(key, 5), &value), OK);
    }
    struct buffer bytes = {0};
    struct txn_request request;
    encode(&txn, "o", 1, &bytes, &request);
    struct txn_certifier *certifier = txn_certifier_create(3 * KEYS);
    txn_certifier_start(certifier, 0);
    for (uint64_t version = 1; version <= 3; version++)
        txn_certifier_note(certifier, request.writes, version);
    txn_certifier_rewind(certifier, 1);
    struct txn reader;
    begin(world, &reader, 0);
    assert_int_equal(txn_get(&reader, text("k\x01"), &value, &error), ERR_NOT_FOUND);
    struct txn_scan scan;
    struct slice key;
    assert_int_equal(txn_scan_open(&reader, &scan, text("k"), text("l"), false, &error), OK);
    assert_int_equal(txn_scan_next(&scan, &key, &value, &error), ERR_NOT_FOUND);
    txn_scan_close(&scan);
    encode(&reader, "r", 1, &bytes, &request);
    assert_int_equal(txn_certify(certifier, &request, &key), ERR_CONFLICT);
    request.read_version = 1; /* all above are gone */
    assert_int_equal(txn_certify(certifier, &request, &key), OK);
    txn_certifier_rewind(certifier, 0);
    request.read_version = 0;
    assert_int_equal(txn_certify(certifier, &request, &key), OK);
    txn_certifier_destroy(certifier);
    buffer_free(&bytes);
    txn_free(&reader);
    txn_free(&txn);
}

/* Proposals that overflowed the window and came to nothing leave it open to those who read at what
 * is there, whatever the clock of the next leader says. */
static void test_rewind_below_the_window(void **state)
{
    struct world *world = *state;
    struct txn txn;
    begin(world, &txn, 50);
    struct slice value = text("v");
    for (char c = 'a'; c < 'i'; c++)
        assert_int_equal(txn_write(&txn, slice_make(&c, 1), &value), OK);
    struct buffer bytes = {0};
    struct txn_request request;
    encode(&txn, "o", 1, &bytes, &request);
    struct txn_certifier *certifier = txn_certifier_create(4);
    txn_certifier_start(certifier, 50);
    txn_certifier_note(certifier, request.writes, 100);
    assert_int_equal(txn_certify(certifier, &request, NULL), ERR_TOO_OLD);
    txn_certifier_rewind(certifier, 50);
    assert_int_equal(txn_certify(certifier, &request, NULL), OK);
    request.read_version = 49;
    assert_int_equal(txn_certify(certifier, &request, NULL), ERR_TOO_OLD);
    /* Versions below those undone count again. */
    txn_free(&txn);
    begin(world, &txn, 50);
    assert_int_equal(txn_get(&txn, text("b"), &value, &error), ERR_NOT_FOUND);
    value = text("v");
    assert_int_equal(txn_write(&txn, text("b"), &value), OK);
    encode(&txn, "o", 2, &bytes, &request);
    txn_certifier_note(certifier, request.writes, 60);
    assert_int_equal(txn_certify(certifier, &request, NULL), ERR_CONFLICT);
    txn_certifier_destroy(certifier);
    buffer_free(&bytes);
    txn_free(&txn);
}

/* However long the keys of large commits are, the window takes about the memory of so many keys. */
static void test_long_keys_fill_the_window(void **state)
{
    enum { COMMITS = 10, KEYS_EACH = 8, WINDOW = 100, SIZES = 2 };
    struct world *world = *state;
    static const size_t sizes[SIZES] = {20, MVCC_KEY_MAX};
    uint8_t key[MVCC_KEY_MAX] = {0};
    for (int i = 0; i < SIZES; i++) {
        struct txn txn;
        struct buffer bytes = {0};
        struct txn_request request;
        begin(world, &txn, 0);
        for (uint8_t k = 0; k < KEYS_EACH; k++) {
            key[0] = (uint8_t)('a' + k);
            assert_int_equal(txn_write(&txn, slice_make(key, sizes[i]), NULL), OK);
        }
        encode(&txn, "o", 1, &bytes, &request);
        struct txn_certifier *certifier = txn_certifier_create(WINDOW);
        txn__certifier_set_run_min(certifier, KEYS_EACH);
        txn_certifier_start(certifier, 0);
        for (uint64_t version = 1; version <= COMMITS; version++)
            txn_certifier_note(certifier, request.writes, version);
        assert_int_equal(txn_certify(certifier, &request, NULL), i == 0 ? OK : ERR_TOO_OLD);
        txn_certifier_destroy(certifier);
        buffer_free(&bytes);
        txn_free(&txn);
    }
}

/* Of look-ups as much is noted as of gets and scans: the key, what was read of a range. */
static void test_look_ups_are_noted(void **state)
{
    struct world *world = *state;
    struct txn txn;
    struct txn_scan look;
    struct slice key, value = text("v");
    for (uint32_t i = 0; i < 3; i++) {
        const char *keys[] = {"d1", "d2", "d3"};
        assert_int_equal(mvcc_write(world->kv, text(keys[i]), 5, &value, NULL, &error), OK);
    }
    begin(world, &txn, 10);
    txn_look_open(&txn, &look);
    assert_int_equal(txn_look_get(&look, text("b"), &value, &error), ERR_NOT_FOUND);
    assert_int_equal(txn_look_range(&look, text("d"), text("e"), &error), OK);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(txn_scan_next(&look, &key, &value, &error), OK);
    assert_int_equal(txn_look_range(&look, text("f"), text("g"), &error), OK);
    assert_int_equal(txn_scan_next(&look, &key, &value, &error), ERR_NOT_FOUND);
    assert_int_equal(txn_look_range(&look, text("h"), text("i"), &error), OK); /* not read */
    assert_int_equal(txn_look_get(&look, text("d3x"), &value, &error), ERR_NOT_FOUND);
    assert_int_equal(txn_look_get(&look, text("d1"), &value, &error), OK);
    txn_scan_close(&look);
    const char *yes[] = {"b", "d", "d1", "d2", "f", "fz", "d3x"};
    const char *no[] = {"a", "c", "d3", "e", "g", "h", "hz", "i"};
    for (uint32_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(noted(&txn, text(yes[i])));
    for (uint32_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(noted(&txn, text(no[i])));
    txn_free(&txn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_reads_of_two_tables, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_many_reads, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_reads_in_a_row, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_impossible_keys, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_long_keys_fill_the_window, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_look_ups_are_noted, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_messages, world_open, world_close),
        cmocka_unit_test(test_foreign_replies_are_bounded),
        cmocka_unit_test_setup_teardown(test_outcomes, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_outcomes_expire, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_rewind_of_many, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_rewind_below_the_window, world_open, world_close),
    };
    return cmocka_run_group_tests_name("txn", tests, NULL, NULL);
}
