/* What counts as a token here is rough: a word, a number, a quoted piece, or one other character.
 */
#include <string.h>

#include "base/check.h"
#include "base/prng.h"
#include "grammar.h"
#include "mutate.h"

static bool is_word(uint8_t c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c >= 0x80;
}

static size_t token_end(const uint8_t *text, size_t size, size_t at)
{
    uint8_t first = text[at++];
    if (is_word(first))
        while (at < size && is_word(text[at]))
            at++;
    if (first == '\'' || first == '"') {
        while (at < size && text[at] != first)
            at++;
        at += at < size;
    }
    return at;
}

/* The token around a place drawn by lot. */
static void token_pick(struct prng *prng, const uint8_t *text, size_t size, size_t *start,
                       size_t *end)
{
    size_t wanted = (size_t)prng_below(prng, size);
    *start = *end = 0;
    while (*end <= wanted) {
        *start = *end;
        *end = token_end(text, size, *start);
    }
}

/* A token of its own, or a piece of the grammar's. */
static void piece_make(struct prng *prng, const uint8_t *text, size_t size, struct buffer *piece)
{
    static const char *const words[] = {" NULL ",
                                        " NOT ",
                                        " AND ",
                                        " OR ",
                                        "(",
                                        ")",
                                        ",",
                                        " * ",
                                        "-",
                                        "+",
                                        "::text",
                                        "::numeric",
                                        " IS ",
                                        " IN (",
                                        " CASE ",
                                        " WHEN ",
                                        " END ",
                                        " AS ",
                                        " FROM ",
                                        " WHERE ",
                                        " GROUP BY ",
                                        " ORDER BY ",
                                        " LIMIT 1",
                                        " UNION ",
                                        " JOIN ",
                                        " USING (",
                                        " OVER (",
                                        ";",
                                        "'",
                                        "\"",
                                        "$1",
                                        "$$",
                                        "--",
                                        "/*",
                                        "E'\\u00e9'",
                                        "x'00'",
                                        "1e400",
                                        "9223372036854775808",
                                        ".5",
                                        "||",
                                        " WITH ",
                                        " LATERAL ",
                                        " FILTER (",
                                        " DISTINCT ",
                                        " BETWEEN ",
                                        " ESCAPE ",
                                        " ARRAY",
                                        " EXCEPT ",
                                        " VALUES (",
                                        " RETURNING ",
                                        " INTERVAL '1 day' ",
                                        " ON CONFLICT "};
    uint32_t dice = (uint32_t)prng_below(prng, 4);
    if (dice == 0) {
        buffer_append_string(piece, words[prng_below(prng, sizeof words / sizeof *words)]);
    } else if (dice == 1 && size > 0) {
        size_t start, end;
        token_pick(prng, text, size, &start, &end);
        buffer_append(piece, text + start, end - start);
    } else {
        uint8_t choices[60];
        size_t count = (size_t)prng_between(prng, 1, sizeof choices);
        for (size_t i = 0; i < count; i++)
            choices[i] = (uint8_t)prng_next(prng);
        struct grammar_traits traits;
        if (dice == 2 && size == 0)
            grammar_statement(slice_make(choices, count), piece, &traits);
        else
            grammar_fragment(slice_make(choices, count), piece);
    }
}

size_t mutate_tokens(uint8_t *text, size_t size, size_t size_max, uint32_t seed)
{
    struct prng prng;
    struct buffer piece = {0};
    size_t start = 0;
    size_t end = 0;
    ASSERT(size <= size_max);
    prng_seed(&prng, seed);
    if (size > 0)
        token_pick(&prng, text, size, &start, &end);
    uint32_t dice = (uint32_t)prng_below(&prng, 4);
    if (dice == 0)
        end = start; /* between */
    if (dice > 0 || prng_chance(&prng, 7, 8))
        piece_make(&prng, text, size, &piece);
    if (dice == 1)
        buffer_reset(&piece); /* taken out */
    size_t grown = size - (end - start) + piece.size;
    if (grown <= size_max) {
        memmove(text + start + piece.size, text + end, size - end);
        if (piece.size > 0)
            memcpy(text + start, piece.data, piece.size);
        size = grown;
    }
    buffer_free(&piece);
    return size;
}
