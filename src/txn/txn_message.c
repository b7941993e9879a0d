#include "base/check.h"
#include "txn/txn_int.h"

static void ranges_encode(const struct txn *txn, struct buffer *out)
{
    msgpack_put_array(out, txn->range_count * 3);
    for (uint32_t i = 0; i < txn->range_count; i++) {
        msgpack_put_bin(out, txn->ranges[i].low);
        msgpack_put_bin(out, txn->ranges[i].high);
        msgpack_put_bool(out, txn->ranges[i].point);
    }
}

/* Of a key and a value beside their bytes, and of what is around them all, at most. */
enum { WRITE_HEADS = 10, WRITES_HEAD = 10 };

static void writes_encode(const struct txn *txn, struct buffer *out)
{
    const struct ordered *writes = &txn->overlay.writes;
    ASSERT(writes->count <= UINT32_MAX / 2);
    (void)buffer_reserve(out, WRITES_HEAD + writes->bytes + WRITE_HEADS * writes->count);
    size_t begin = msgpack_bin_begin(out);
    msgpack_put_array(out, (uint32_t)writes->count * 2);
    for (struct ordered_node *node = ordered_first(writes); node; node = ordered_next(node)) {
        msgpack_put_bin(out, node->key);
        if (node->tag == MVCC_TOMBSTONE)
            msgpack_put_nil(out);
        else
            msgpack_put_bin(out, node->value);
    }
    msgpack_bin_end(out, begin);
}

status_t txn_request_encode(const struct txn *txn, struct txn_id id, struct slice reply,
                            struct buffer *out)
{
    ASSERT(id.origin.size >= 1 && id.origin.size <= TXN_ORIGIN_MAX);
    ASSERT(reply.size <= TXN_REPLY_MAX);
    msgpack_put_array(out, 7);
    msgpack_put_uint(out, TXN_FORMAT);
    msgpack_put_bin(out, id.origin);
    msgpack_put_uint(out, id.sequence);
    msgpack_put_uint(out, txn->view.version);
    msgpack_put_bin(out, reply);
    struct buffer ranges;
    buffer_init(&ranges, 0);
    ranges_encode(txn, &ranges);
    msgpack_put_bin(out, buffer_slice(&ranges));
    buffer_free(&ranges);
    writes_encode(txn, out);
    return out->failed ? ERR_TOO_LONG : OK;
}

void txn__ranges_begin(struct slice ranges, struct txn__range_cursor *cursor)
{
    msgpack_reader_init(&cursor->reader, ranges);
    cursor->left = msgpack_get_array(&cursor->reader) / 3;
}

bool txn__ranges_next(struct txn__range_cursor *cursor, struct txn_range *range)
{
    if (cursor->left == 0)
        return false;
    cursor->left--;
    range->low = msgpack_get_bin(&cursor->reader);
    range->high = msgpack_get_bin(&cursor->reader);
    struct msgpack_value flag;
    if (!msgpack_next(&cursor->reader, &flag) || flag.type != MSGPACK_BOOL) {
        cursor->reader.failed = true;
        return false;
    }
    range->point = flag.as.boolean;
    return !cursor->reader.failed;
}

static bool ranges_valid(struct slice ranges)
{
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, ranges);
    if (msgpack_get_array(&reader) % 3 != 0 || reader.failed)
        return false;
    struct txn__range_cursor cursor;
    struct txn_range range;
    txn__ranges_begin(ranges, &cursor);
    while (txn__ranges_next(&cursor, &range)) {
        if (range.low.size > MVCC_KEY_MAX + 1 || range.high.size > MVCC_KEY_MAX + 1)
            return false;
    }
    return msgpack_done(&cursor.reader);
}

void txn_writes_begin(struct slice writes, struct txn_write_cursor *cursor)
{
    msgpack_reader_init(&cursor->reader, writes);
    cursor->left = msgpack_get_array(&cursor->reader) / 2;
}

bool txn__writes_long(struct txn_write_cursor *cursor, struct slice *value)
{
    *value = msgpack_get_bin(&cursor->reader);
    return !cursor->reader.failed;
}

static bool writes_valid(struct slice writes)
{
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, writes);
    if (msgpack_get_array(&reader) % 2 != 0 || reader.failed)
        return false;
    struct txn_write_cursor cursor;
    struct slice key, value;
    bool tombstone;
    txn_writes_begin(writes, &cursor);
    while (txn_writes_next(&cursor, &key, &value, &tombstone)) {
        if (key.size == 0 || key.size > MVCC_KEY_MAX || key.data[0] < MVCC_KEY_FIRST_MIN)
            return false;
    }
    return msgpack_done(&cursor.reader);
}

static bool id_valid(struct txn_id id)
{
    return id.origin.size >= 1 && id.origin.size <= TXN_ORIGIN_MAX;
}

status_t txn_request_decode(struct slice bytes, struct txn_request *out)
{
    *out = (struct txn_request){0};
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, bytes);
    bool shape = msgpack_get_array(&reader) == 7 && msgpack_get_uint(&reader) == TXN_FORMAT;
    out->id.origin = msgpack_get_bin(&reader);
    out->id.sequence = msgpack_get_uint(&reader);
    out->read_version = msgpack_get_uint(&reader);
    out->reply = msgpack_get_bin(&reader);
    out->ranges = msgpack_get_bin(&reader);
    out->writes = msgpack_get_bin(&reader);
    if (!shape || !msgpack_done(&reader) || !id_valid(out->id) || out->reply.size > TXN_REPLY_MAX ||
        !ranges_valid(out->ranges) || !writes_valid(out->writes))
        return ERR_PROTOCOL;
    return OK;
}

void txn_effect_encode(const struct txn_request *request, uint64_t version, struct buffer *out)
{
    (void)buffer_reserve(out,
                         64 + request->id.origin.size + request->reply.size + request->writes.size);
    msgpack_put_array(out, 6);
    msgpack_put_uint(out, TXN_FORMAT);
    msgpack_put_uint(out, version);
    msgpack_put_bin(out, request->id.origin);
    msgpack_put_uint(out, request->id.sequence);
    msgpack_put_bin(out, request->reply);
    msgpack_put_bin(out, request->writes);
}

void txn_refusal_encode(const struct txn_request *request, uint64_t version, struct buffer *out)
{
    static const uint8_t no_writes = 0x90; /* an empty array */
    struct txn_request refused = *request;
    refused.reply = (struct slice){0};
    refused.writes = slice_make(&no_writes, 1);
    ASSERT(writes_valid(refused.writes));
    txn_effect_encode(&refused, version, out);
}

status_t txn_effect_decode(struct slice bytes, struct txn_effect *out)
{
    *out = (struct txn_effect){0};
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, bytes);
    bool shape = msgpack_get_array(&reader) == 6 && msgpack_get_uint(&reader) == TXN_FORMAT;
    out->version = msgpack_get_uint(&reader);
    out->id.origin = msgpack_get_bin(&reader);
    out->id.sequence = msgpack_get_uint(&reader);
    out->reply = msgpack_get_bin(&reader);
    out->writes = msgpack_get_bin(&reader);
    if (!shape || !msgpack_done(&reader) || !id_valid(out->id) || out->reply.size > TXN_REPLY_MAX ||
        !writes_valid(out->writes))
        return ERR_CORRUPT;
    return OK;
}
