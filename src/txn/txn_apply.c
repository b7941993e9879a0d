#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "txn/txn_int.h"

struct outcome_key {
    uint8_t bytes[1 + TXN_ORIGIN_MAX];
    size_t size;
};

static struct slice outcome_key_make(struct outcome_key *key, struct slice origin)
{
    ASSERT(origin.size >= 1 && origin.size <= TXN_ORIGIN_MAX);
    key->bytes[0] = TXN_OUTCOME_PREFIX;
    memcpy(key->bytes + 1, origin.data, origin.size);
    key->size = 1 + origin.size;
    return slice_make(key->bytes, key->size);
}

static status_t outcome_decode(struct slice bytes, struct txn_outcome *out, struct error *error)
{
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, bytes);
    bool shape = msgpack_get_array(&reader) == 3;
    out->sequence = msgpack_get_uint(&reader);
    out->version = msgpack_get_uint(&reader);
    struct msgpack_value reply = {0};
    shape = shape && msgpack_next(&reader, &reply) &&
            (reply.type == MSGPACK_BIN || reply.type == MSGPACK_NIL);
    out->refused = reply.type == MSGPACK_NIL;
    out->reply = out->refused ? (struct slice){0} : reply.as.bytes;
    if (!shape || !msgpack_done(&reader))
        return error_set(error, ERR_CORRUPT, "stored transaction outcome is malformed");
    return OK;
}

status_t txn_outcome_get(struct kv *kv, struct slice origin, struct txn_outcome *out,
                         struct error *error)
{
    struct outcome_key key;
    struct slice bytes;
    status_t status = kv_get_latest(kv, outcome_key_make(&key, origin), &bytes, error);
    return status == OK ? outcome_decode(bytes, out, error) : status;
}

static status_t outcome_put(struct kv *kv, const struct txn_effect *effect, bool refused,
                            struct error *error)
{
    struct outcome_key key;
    struct buffer value;
    buffer_init(&value, 0);
    msgpack_put_array(&value, 3);
    msgpack_put_uint(&value, effect->id.sequence);
    msgpack_put_uint(&value, effect->version);
    if (refused)
        msgpack_put_nil(&value);
    else
        msgpack_put_bin(&value, effect->reply);
    status_t status =
        kv_put(kv, outcome_key_make(&key, effect->id.origin), buffer_slice(&value), error);
    buffer_free(&value);
    return status;
}

/* *known: the origin's outcome is of a later sequence already, or of this one and final. One that
 * was refused is not: the same sequence may be tried again (txn.h). */
static status_t outcome_known(struct kv *kv, struct txn_id id, bool *known, struct error *error)
{
    struct txn_outcome before;
    status_t status = txn_outcome_get(kv, id.origin, &before, error);
    *known = status == OK &&
             (before.sequence > id.sequence || (before.sequence == id.sequence && !before.refused));
    return status == ERR_NOT_FOUND ? OK : status;
}

status_t txn_refusal_apply(struct kv *kv, const struct txn_effect *refusal, bool *fresh,
                           struct error *error)
{
    bool known;
    *fresh = false;
    status_t status = outcome_known(kv, refusal->id, &known, error);
    if (status != OK || known)
        return status;
    status = outcome_put(kv, refusal, true, error);
    *fresh = status == OK;
    return status;
}

/* Versions of the effect's writes beside those there are. */
static status_t writes_put(struct kv *kv, const struct txn_effect *effect,
                           struct mvcc_collector *collector, struct error *error)
{
    struct txn_write_cursor cursor;
    struct slice key, value;
    bool tombstone;
    txn_writes_begin(effect->writes, &cursor);
    while (txn_writes_next(&cursor, &key, &value, &tombstone)) {
        bool garbage;
        status_t status =
            mvcc_write(kv, key, effect->version, tombstone ? NULL : &value, &garbage, error);
        if (status != OK)
            return status;
        if (garbage && collector)
            mvcc_collector_note(collector, key, effect->version);
    }
    ASSERT(msgpack_done(&cursor.reader));
    return OK;
}

/* The same, in place of those there are. */
static status_t writes_replace(struct kv *kv, const struct txn_effect *effect,
                               struct mvcc_collector *collector, struct error *error)
{
    struct txn_write_cursor cursor;
    struct mvcc_replace replace;
    struct slice key, value;
    bool tombstone;
    txn_writes_begin(effect->writes, &cursor);
    if (cursor.left == 0)
        return OK;
    status_t status = OK;
    mvcc_replace_begin(&replace, kv, effect->version, cursor.left, collector);
    while (status == OK && txn_writes_next(&cursor, &key, &value, &tombstone))
        status = mvcc_replace_add(&replace, key, tombstone ? NULL : &value, error);
    if (status == OK)
        status = mvcc_replace_end(&replace, error);
    ASSERT(status != OK || msgpack_done(&cursor.reader));
    mvcc_replace_free(&replace);
    return status;
}

status_t txn_effect_apply(struct kv *kv, const struct txn_effect *effect, bool replace,
                          struct mvcc_collector *collector, bool *fresh, struct error *error)
{
    bool known;
    *fresh = false;
    status_t status = outcome_known(kv, effect->id, &known, error);
    if (status != OK || known)
        return status;
    status = replace ? writes_replace(kv, effect, collector, error)
                     : writes_put(kv, effect, collector, error);
    if (status != OK)
        return status;
    /* The outcome goes last: a part applied before an error is applied again as a whole. */
    status = outcome_put(kv, effect, false, error);
    *fresh = status == OK;
    return status;
}

static const uint8_t outcome_prefix = TXN_OUTCOME_PREFIX;

static struct slice piece_start(struct slice start)
{
    return start.size ? start : slice_make(&outcome_prefix, 1);
}

static bool holds_outcome(struct kv_cursor *cursor)
{
    return kv_cursor_valid(cursor) &&
           slice_has_prefix(kv_cursor_key(cursor), slice_make(&outcome_prefix, 1));
}

static status_t outcome_at(const struct kv_cursor *cursor, struct txn_outcome *out,
                           struct error *error)
{
    struct slice value;
    status_t status = kv_cursor_value(cursor, &value, error);
    return status == OK ? outcome_decode(value, out, error) : status;
}

status_t txn_outcomes_piece(struct kv *kv, uint64_t version, struct slice start, uint32_t limit,
                            struct buffer *end, uint64_t *newest, struct error *error)
{
    struct kv_cursor cursor;
    *newest = 0;
    kv_cursor_init_latest(&cursor, kv);
    status_t status = kv_cursor_seek(&cursor, piece_start(start), error);
    for (uint32_t seen = 0; status == OK && holds_outcome(&cursor) && seen < limit; seen++) {
        struct txn_outcome outcome;
        status = outcome_at(&cursor, &outcome, error);
        if (status != OK)
            break;
        if (outcome.version < version && outcome.version > *newest)
            *newest = outcome.version;
        status = kv_cursor_next(&cursor, error);
    }
    buffer_reset(end);
    if (status == OK && holds_outcome(&cursor))
        buffer_append_slice(end, kv_cursor_key(&cursor));
    return status;
}

status_t txn_outcomes_expire(struct kv *kv, uint64_t version, struct slice start, struct slice end,
                             struct error *error)
{
    struct buffer place;
    buffer_init(&place, 0);
    buffer_append_slice(&place, piece_start(start));
    status_t status;
    for (;;) {
        /* A cursor over the latest view does not survive a change: it is placed anew each time. */
        struct kv_cursor cursor;
        kv_cursor_init_latest(&cursor, kv);
        status = kv_cursor_seek(&cursor, buffer_slice(&place), error);
        if (status != OK || !holds_outcome(&cursor))
            break;
        struct slice key = kv_cursor_key(&cursor);
        if (end.size && slice_compare(key, end) >= 0)
            break;
        buffer_reset(&place);
        buffer_append_slice(&place, key);
        struct txn_outcome outcome;
        status = outcome_at(&cursor, &outcome, error);
        if (status == OK && outcome.version < version)
            status = kv_delete(kv, buffer_slice(&place), NULL, error);
        if (status != OK)
            break;
        buffer_append_byte(&place, 0); /* the next possible key */
    }
    buffer_free(&place);
    return status;
}

status_t txn_outcomes_check(struct kv *kv, uint64_t newest, struct problems *problems,
                            uint64_t *count, struct error *error)
{
    ASSERT(kv && problems);
    struct kv_cursor cursor;
    char text[BYTES_TEXT_SIZE];
    *count = 0;
    kv_cursor_init_latest(&cursor, kv);
    status_t status = kv_cursor_seek(&cursor, slice_make(&outcome_prefix, 1), error);
    while (status == OK && holds_outcome(&cursor)) {
        struct slice key = kv_cursor_key(&cursor), value;
        struct txn_outcome outcome;
        struct error bad;
        status = kv_cursor_value(&cursor, &value, error);
        if (status != OK)
            break;
        ++*count;
        (void)bytes_print(slice_make(key.data + 1, key.size - 1), text);
        if (key.size < 2 || key.size > 1 + TXN_ORIGIN_MAX)
            problem_add(problems, "transaction of %s: not an origin", text);
        if (outcome_decode(value, &outcome, &bad) != OK)
            problem_add(problems, "transaction of %s: %s", text, bad.message);
        else if (outcome.version > newest)
            problem_add(problems,
                        "transaction of %s: has version %" PRIu64 ", but only those up to %" PRIu64
                        " were applied",
                        text, outcome.version, newest);
        status = kv_cursor_next(&cursor, error);
    }
    return status;
}
