/* Proof that all versions are as they should be.
 *
 * kv_check has the order of the stored keys. Here each of them must be a user key and a version, no
 * newer than what was applied; each value a flag and, of a tombstone, nothing else; and no user key
 * the beginning of another, or the versions of the two would lie between each other. One walk, in
 * constant memory: keys that begin with another follow it at once, up to versions of that one. */
#include <inttypes.h>

#include "base/check.h"
#include "mvcc/mvcc.h"
#include "mvcc/mvcc_int.h"

struct check {
    uint64_t newest;
    struct problems *problems;
    struct mvcc_checked *out;
    struct buffer before; /* the user key met last; empty: none */
};

static void check_key(struct check *check, struct slice key, uint64_t version)
{
    char text[BYTES_TEXT_SIZE], other[BYTES_TEXT_SIZE];
    check->out->versions++;
    if (version > check->newest)
        problem_add(check->problems,
                    "key %s: has version %" PRIu64 ", but only those up to %" PRIu64
                    " were applied",
                    bytes_print(key, text), version, check->newest);
    if (version == 0)
        problem_add(check->problems, "key %s: has version 0", bytes_print(key, text));
    struct slice before = buffer_slice(&check->before);
    if (before.size && slice_equal(before, key))
        return;
    check->out->keys++;
    if (key.size > MVCC_KEY_MAX)
        problem_add(check->problems, "key %s: is too long", bytes_print(key, text));
    if (before.size && slice_has_prefix(key, before))
        problem_add(check->problems, "key %s: begins with another, %s", bytes_print(key, text),
                    bytes_print(before, other));
    buffer_reset(&check->before);
    buffer_append_slice(&check->before, key);
}

static void check_value(struct check *check, struct slice key, uint64_t version, struct slice raw)
{
    char text[BYTES_TEXT_SIZE];
    bool tombstone = false;
    struct slice value = {0};
    struct error error;
    if (mvcc__unwrap(raw, &tombstone, &value, &error) != OK)
        problem_add(check->problems, "key %s: version %" PRIu64 ": %s", bytes_print(key, text),
                    version, error.message);
    else if (tombstone && value.size)
        problem_add(check->problems, "key %s: version %" PRIu64 ": a tombstone with a value",
                    bytes_print(key, text), version);
}

status_t mvcc_check(struct kv_snapshot *snapshot, uint64_t newest, struct problems *problems,
                    struct mvcc_checked *out, struct error *error)
{
    ASSERT(snapshot && problems && out);
    static const uint8_t first = MVCC_KEY_FIRST_MIN;
    struct check check = {.newest = newest, .problems = problems, .out = out};
    struct kv_cursor cursor;
    *out = (struct mvcc_checked){0};
    kv_cursor_init(&cursor, snapshot);
    status_t status = mvcc_watermark(snapshot, &out->watermark, error);
    if (status == OK && out->watermark > newest)
        problem_add(problems,
                    "versions are collected up to %" PRIu64 ", above the newest, %" PRIu64,
                    out->watermark, newest);
    if (status == OK)
        status = kv_cursor_seek(&cursor, slice_make(&first, 1), error);
    while (status == OK && kv_cursor_valid(&cursor)) {
        struct slice key = {0}, raw;
        uint64_t version = 0;
        struct error bad;
        if (mvcc__split(kv_cursor_key(&cursor), &key, &version, &bad) == OK) {
            check_key(&check, key, version);
            status = kv_cursor_value(&cursor, &raw, error);
            if (status == OK)
                check_value(&check, key, version, raw);
        } else {
            problem_add_error(problems, "", &bad);
        }
        if (status == OK)
            status = kv_cursor_next(&cursor, error);
    }
    buffer_free(&check.before);
    return status;
}
