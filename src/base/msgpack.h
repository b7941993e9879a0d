/* MessagePack (msgpack.org spec): a writer into a buffer and a reader over bytes, without
 * allocation. Used for rows, log entries and commit requests (docs/decisions/0002: why not a
 * library).
 *
 * The reader is for foreign bytes: every function checks bounds and types; the first failure
 * sticks (reader->failed) and all later reads return zero values, so a caller may read a whole
 * structure and check once. */
#ifndef BASE_MSGPACK_H
#define BASE_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    MSGPACK_BIN8 = 0xc4, /* the token before the size and the bytes of a short one */
    MSGPACK_NIL_TOKEN = 0xc0,
};

void msgpack_put_nil(struct buffer *out);
void msgpack_put_bool(struct buffer *out, bool value);
void msgpack_put_int(struct buffer *out, int64_t value);
void msgpack_put_uint(struct buffer *out, uint64_t value);
void msgpack_put_double(struct buffer *out, double value);
void msgpack_put_str(struct buffer *out, struct slice text);
void msgpack_put_bin(struct buffer *out, struct slice bytes);
/* A byte string that is put together in place: between these two its bytes are appended. Returns
 * where it begins. */
size_t msgpack_bin_begin(struct buffer *out);
void msgpack_bin_end(struct buffer *out, size_t begin);
void msgpack_put_array(struct buffer *out, uint32_t count);

enum msgpack_type {
    MSGPACK_NIL,
    MSGPACK_BOOL,
    MSGPACK_UINT, /* not negative */
    MSGPACK_INT,  /* negative */
    MSGPACK_DOUBLE,
    MSGPACK_STR,
    MSGPACK_BIN,
    MSGPACK_ARRAY,
    MSGPACK_END, /* nothing left, or the reader has failed */
};

struct msgpack_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

/* One value; `bytes` points into the reader's input. */
struct msgpack_value {
    enum msgpack_type type;
    union {
        bool boolean;
        uint64_t uint;
        int64_t sint;
        double real;
        struct slice bytes; /* MSGPACK_STR, MSGPACK_BIN */
        uint32_t count;     /* MSGPACK_ARRAY: that many values follow */
    } as;
};

void msgpack_reader_init(struct msgpack_reader *reader, struct slice input);
/* Reads the next value. False at the end and on malformed or unsupported (map, ext) input; then
 * `failed` tells the two apart. A string's declared length is checked against what is there. */
bool msgpack_next(struct msgpack_reader *reader, struct msgpack_value *value);
/* True when all input was read without a failure. */
bool msgpack_done(const struct msgpack_reader *reader);
/* Typed reads: a value of another type is a failure. An array count is checked to be at most the
 * number of bytes left. get_int takes any integer that fits. */
uint64_t msgpack_get_uint(struct msgpack_reader *reader);
int64_t msgpack_get_int(struct msgpack_reader *reader);
struct slice msgpack_get_bin(struct msgpack_reader *reader);
/* A byte string of less than 256, if the next value is one; else nothing is read. */
static inline bool msgpack_take_short(struct msgpack_reader *reader, struct slice *bytes)
{
    ptrdiff_t left = reader->end - reader->at;
    if (left < 2 || reader->failed || reader->at[0] != MSGPACK_BIN8 || left - 2 < reader->at[1])
        return false;
    *bytes = slice_make(reader->at + 2, reader->at[1]);
    reader->at += 2 + bytes->size;
    return true;
}
/* The same for nil. */
static inline bool msgpack_take_nil(struct msgpack_reader *reader)
{
    if (reader->at == reader->end || reader->failed || reader->at[0] != MSGPACK_NIL_TOKEN)
        return false;
    reader->at++;
    return true;
}
struct slice msgpack_get_str(struct msgpack_reader *reader);
uint32_t msgpack_get_array(struct msgpack_reader *reader);

#endif
