#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { BUFFER_SIZE_MAX_DEFAULT = 1 << 30 };

struct slice slice_from_string(const char *text)
{
    return slice_make(text, strlen(text));
}

static uint64_t hash_mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xe9846af9b1a615d;
    h ^= h >> 32;
    h *= 0xe9846af9b1a615d;
    h ^= h >> 28;
    return h;
}

uint64_t slice_hash(struct slice bytes)
{
    uint64_t h = 0x9e3779b97f4a7c15 ^ bytes.size;
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    for (; left >= 8; at += 8, left -= 8)
        h = hash_mix(h ^ get_u64_le(at));
    uint64_t tail = 0;
    for (size_t i = 0; i < left; i++)
        tail |= (uint64_t)at[i] << (8 * i);
    return hash_mix(h ^ tail);
}

void buffer_init(struct buffer *buffer, size_t size_max)
{
    *buffer = (struct buffer){.size_max = size_max};
}

void buffer_free(struct buffer *buffer)
{
    mem_free(buffer->data);
    *buffer = (struct buffer){.size_max = buffer->size_max};
}

void buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

status_t buffer__grow(struct buffer *buffer, size_t more)
{
    size_t size_max = buffer->size_max ? buffer->size_max : BUFFER_SIZE_MAX_DEFAULT;
    ASSERT(buffer->size <= size_max);
    if (buffer->failed || more > size_max - buffer->size) {
        buffer->failed = true;
        return ERR_TOO_LONG;
    }
    size_t need = buffer->size + more;
    if (need > buffer->capacity) {
        size_t grown = buffer->capacity < 64 ? 64 : buffer->capacity * 2;
        if (grown < need)
            grown = need;
        if (grown > size_max) /* what there is room for may then be appended unasked */
            grown = size_max;
        buffer->data = mem_realloc(buffer->data, grown);
        buffer->capacity = grown;
    }
    return OK;
}

status_t buffer_append_string(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

status_t buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    status_t status = length < 0 ? ERR_INVALID : buffer_reserve(buffer, (size_t)length + 1);
    if (status == OK) {
        vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
    return status;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    ASSERT(count <= buffer->size);
    buffer->size -= count;
    if (buffer->size)
        memmove(buffer->data, buffer->data + count, buffer->size);
}

struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_make(buffer->data, buffer->size);
}
