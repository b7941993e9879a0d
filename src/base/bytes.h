/* Byte strings: a view that owns nothing, and a growing buffer with a stated maximum. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

/* A view of `size` bytes owned by someone else. data may be NULL when size is 0. */
struct slice {
    const uint8_t *data;
    size_t size;
};

static inline struct slice slice_make(const void *data, size_t size)
{
    return (struct slice){.data = data, .size = size};
}

/* Of a NUL-terminated string, without the NUL. */
struct slice slice_from_string(const char *text);
/* Order of memcmp, a prefix sorts before what it begins. Returns <0, 0, >0. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
static inline bool slice_has_prefix(struct slice whole, struct slice prefix)
{
    return whole.size >= prefix.size &&
           (prefix.size == 0 || memcmp(whole.data, prefix.data, prefix.size) == 0);
}
/* 64-bit hash, not stable across versions, not for disk. */
uint64_t slice_hash(struct slice bytes);

/* A growing byte buffer. Zero-initialise it, or give it a maximum with buffer_init; free it with
 * buffer_free. Appending past `size_max` (0: 1 GiB) fails with ERR_TOO_LONG, sticks (`failed`), and
 * leaves the contents as they were, so that a run of appends may be checked once at its end. */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t size_max;
    bool failed;
};

void buffer_init(struct buffer *buffer, size_t size_max);
void buffer_free(struct buffer *buffer);
/* Empties it, keeps the memory, forgets a failure. */
void buffer_reset(struct buffer *buffer);
/* What buffer_reserve does when there is no room yet. */
status_t buffer__grow(struct buffer *buffer, size_t more);
/* Room for `more` bytes behind the end; they are at data + size, to be counted in by the caller. */
static inline status_t buffer_reserve(struct buffer *buffer, size_t more)
{
    return !buffer->failed && more <= buffer->capacity - buffer->size ? OK
                                                                      : buffer__grow(buffer, more);
}
static inline status_t buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    status_t status = buffer_reserve(buffer, size);
    if (status != OK || size == 0)
        return status;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return OK;
}
static inline status_t buffer_append_slice(struct buffer *buffer, struct slice bytes)
{
    return buffer_append(buffer, bytes.data, bytes.size);
}
static inline status_t buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
    return buffer_append(buffer, &byte, 1);
}
status_t buffer_append_string(struct buffer *buffer, const char *text);
status_t buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Drop the first `count` bytes. */
void buffer_consume(struct buffer *buffer, size_t count);
struct slice buffer_slice(const struct buffer *buffer);

/* Fixed-width integers at any alignment. Big-endian ones sort as bytes. */
static inline void put_u16_le(uint8_t *at, uint16_t v)
{
    for (int i = 0; i < 2; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}
static inline void put_u32_le(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}
static inline void put_u64_le(uint8_t *at, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}
static inline uint16_t get_u16_le(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}
static inline uint32_t get_u32_le(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}
static inline uint64_t get_u64_le(const uint8_t *at)
{
    return (uint64_t)get_u32_le(at) | (uint64_t)get_u32_le(at + 4) << 32;
}
static inline void put_u32_be(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (24 - 8 * i));
}
static inline void put_u64_be(uint8_t *at, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> (56 - 8 * i));
}
static inline uint32_t get_u32_be(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | (uint32_t)at[3];
}
static inline uint64_t get_u64_be(const uint8_t *at)
{
    return (uint64_t)get_u32_be(at) << 32 | (uint64_t)get_u32_be(at + 4);
}

#endif
