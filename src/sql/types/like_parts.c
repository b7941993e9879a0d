/* A LIKE pattern of literals with % between them, taken apart once for many texts.
 *
 *     'ab%c\%d%e'     literals ab, c%d, e; ab is at the start, e at the end
 *
 * Between the two that are held fast each literal is looked for behind the one before it, and the
 * first place is taken: what comes later has the most room then. A search looks at eight places at
 * once: where the literal's first byte is and its last one behind it, the rest is compared. Bytes
 * are enough, since no character of UTF-8 begins within another.
 *
 * A comparison reads no more than LITERAL_MAX bytes, so a text is gone through in a time that is
 * bounded by its size. Patterns of longer literals are left to like_match, as are those with _. */
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "sql/types/types.h"

enum { LITERAL_MAX = 32 };

/* The pattern's bytes without escapes become `plain`; is_run[i]: the i-th is a %. 0: it has what is
 * not understood here, or nothing. */
static size_t pattern_plain(struct slice pattern, uint32_t escape, uint8_t *plain, bool *is_run)
{
    size_t count = 0;
    for (size_t i = 0; i < pattern.size; i++) {
        bool escaped = pattern.data[i] == escape;
        if (escaped && ++i == pattern.size)
            return 0;
        if (!escaped && pattern.data[i] == '_')
            return 0;
        is_run[count] = !escaped && pattern.data[i] == '%';
        plain[count++] = pattern.data[i];
    }
    return count;
}

bool like_parts_make(struct slice pattern, uint32_t escape, struct arena *arena,
                     struct like_parts *parts)
{
    *parts = (struct like_parts){0};
    /* An escape beyond ASCII would have to be looked for as a character. */
    bool plain_escape = escape < 0x80 || escape == LIKE_ESCAPE_NONE;
    if (pattern.size == 0 || !plain_escape || !utf8_valid(pattern))
        return false;
    uint8_t *plain = arena_alloc(arena, pattern.size);
    bool *is_run = arena_alloc(arena, pattern.size * sizeof *is_run);
    size_t size = pattern_plain(pattern, escape, plain, is_run);
    if (size == 0)
        return false;
    parts->literals = arena_alloc(arena, size * sizeof *parts->literals);
    parts->from_start = !is_run[0];
    parts->to_end = !is_run[size - 1];
    for (size_t at = 0, end; at < size; at = end) {
        for (end = at; end < size && !is_run[end];)
            end++;
        if (end - at > LITERAL_MAX)
            return false;
        if (end > at)
            parts->literals[parts->count++] = slice_make(plain + at, end - at);
        else
            end++;
    }
    return true;
}

static inline bool literal_at(const uint8_t *place, struct slice literal)
{
    return memcmp(place, literal.data, literal.size) == 0;
}

/* Where the literal is first in [at, end); NULL: nowhere. */
static const uint8_t *literal_find(const uint8_t *at, const uint8_t *end, struct slice literal)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    size_t size = literal.size;
    ASSERT(size > 0 && size <= LITERAL_MAX);
    if ((size_t)(end - at) < size)
        return NULL;
    uint64_t first = ones * literal.data[0], last = ones * literal.data[size - 1];
    const uint8_t *stop = end - size + 1; /* behind the last place where it may be */
    for (; stop - at >= 8; at += 8) {
        uint64_t a = get_u64_le(at) ^ first, b = get_u64_le(at + size - 1) ^ last;
        uint64_t differ = a | b;
        /* Tops of bytes that are 0, and perhaps of some above the lowest of them. */
        for (uint64_t hits = (differ - ones) & ~differ & tops; hits; hits &= hits - 1) {
            const uint8_t *place = at + __builtin_ctzll(hits) / 8;
            if (literal_at(place, literal))
                return place;
        }
    }
    for (; at < stop; at++) {
        if (*at == literal.data[0] && literal_at(at, literal))
            return at;
    }
    return NULL;
}

bool like_parts_match(const struct like_parts *parts, struct slice text)
{
    const struct slice *literal = parts->literals, *behind = literal + parts->count;
    if (text.size == 0)
        return parts->count == 0;
    const uint8_t *at = text.data, *end = at + text.size;
    if (parts->from_start) {
        ASSERT(parts->count > 0);
        if (text.size < literal->size || !literal_at(at, *literal))
            return false;
        at += literal->size;
        literal++;
        if (parts->to_end && literal == behind)
            return at == end;
    }
    if (parts->to_end) {
        ASSERT(literal < behind);
        behind--;
        if ((size_t)(end - at) < behind->size || !literal_at(end - behind->size, *behind))
            return false;
        end -= behind->size;
    }
    for (; literal < behind; literal++) {
        at = literal_find(at, end, *literal);
        if (!at)
            return false;
        at += literal->size;
    }
    return true;
}
