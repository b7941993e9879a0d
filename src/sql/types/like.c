/* LIKE and ILIKE: % is any run of characters, _ one character, an escape character makes the next
 * one stand for itself.
 *
 * The matcher walks text and pattern together and remembers the last %: on a mismatch it lets that
 * % swallow one character more. An earlier % never needs to be tried again, because the last one
 * can swallow whatever the earlier one could. Quadratic at worst, without recursion. */
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "sql/types/types.h"

static uint8_t fold_ascii(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

/* Bytes of the character at the start of `text`; a byte that is none counts as one. */
static size_t char_size(struct slice text, uint32_t *codepoint)
{
    *codepoint = text.data[0];
    if (*codepoint < 0x80)
        return 1;
    size_t size = utf8_decode(text, codepoint);
    return size ? size : 1;
}

static struct slice slice_from(struct slice text, size_t offset)
{
    return slice_make(text.data + offset, text.size - offset);
}

struct pattern_item {
    enum { ITEM_LITERAL, ITEM_ANY_RUN, ITEM_ANY_ONE, ITEM_BROKEN } kind;
    struct slice literal; /* one character */
    size_t size;          /* in the pattern */
};

static struct pattern_item pattern_take(struct slice pattern, uint32_t escape)
{
    uint32_t codepoint;
    size_t size = char_size(pattern, &codepoint);
    if (codepoint == escape) {
        if (size == pattern.size)
            return (struct pattern_item){.kind = ITEM_BROKEN};
        size_t literal = char_size(slice_from(pattern, size), &codepoint);
        return (struct pattern_item){.kind = ITEM_LITERAL,
                                     .literal = slice_make(pattern.data + size, literal),
                                     .size = size + literal};
    }
    struct pattern_item item = {.kind = ITEM_LITERAL, .size = size};
    item.literal = slice_make(pattern.data, size);
    if (codepoint == '%')
        item.kind = ITEM_ANY_RUN;
    else if (codepoint == '_')
        item.kind = ITEM_ANY_ONE;
    return item;
}

static bool literal_matches(struct slice text, struct slice literal, bool fold)
{
    if (text.size < literal.size)
        return false;
    if (fold && literal.size == 1)
        return fold_ascii(text.data[0]) == fold_ascii(literal.data[0]);
    return memcmp(text.data, literal.data, literal.size) == 0;
}

bool like_match(struct slice text, struct slice pattern, uint32_t escape, bool fold,
                const atomic_bool *cancel, bool *valid)
{
    ASSERT(valid && escape <= LIKE_ESCAPE_NONE);
    size_t t = 0, p = 0;
    size_t run_p = SIZE_MAX, run_t = 0; /* behind the last %, and where its run ends so far */
    uint32_t ignored;
    *valid = true;
    for (;;) {
        if (p < pattern.size) {
            struct pattern_item item = pattern_take(slice_from(pattern, p), escape);
            if (item.kind == ITEM_BROKEN) {
                *valid = false;
                return false;
            }
            if (item.kind == ITEM_ANY_RUN) {
                p += item.size;
                run_p = p;
                run_t = t;
                continue;
            }
            if (t < text.size && item.kind == ITEM_ANY_ONE) {
                p += item.size;
                t += char_size(slice_from(text, t), &ignored);
                continue;
            }
            if (item.kind == ITEM_LITERAL &&
                literal_matches(slice_from(text, t), item.literal, fold)) {
                p += item.size;
                t += item.literal.size;
                continue;
            }
        } else if (t == text.size || run_p == p) {
            return true;
        }
        if (run_p == SIZE_MAX || run_t >= text.size ||
            (cancel && atomic_load_explicit(cancel, memory_order_relaxed)))
            return false;
        run_t += char_size(slice_from(text, run_t), &ignored);
        t = run_t;
        p = run_p;
    }
}
