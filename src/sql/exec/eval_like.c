/* LIKE and ILIKE: % is any run of characters, _ one character, an escape character (backslash when
 * none is given, none when it is empty) makes the next one stand for itself.
 *
 * The matcher walks text and pattern together and remembers the last %: on a mismatch it lets that
 * % swallow one character more. An earlier % never needs to be tried again, because the last one
 * can swallow whatever the earlier one could. Quadratic at worst, without recursion. */
#include "sql/exec/exec_int.h"

#include <string.h>

#include "base/utf8.h"

enum { NO_ESCAPE = 0x110000 }; /* above every character */

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

/* False in *valid: the pattern ends with its escape character. */
static bool like(struct slice text, struct slice pattern, uint32_t escape, bool fold, bool *valid)
{
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
        if (run_p == SIZE_MAX || run_t >= text.size)
            return false;
        run_t += char_size(slice_from(text, run_t), &ignored);
        t = run_t;
        p = run_p;
    }
}

/* A broken pattern is an error whatever the text, as far as it is looked at. */
static status_t escape_of(const struct eval *eval, uint32_t row, uint32_t *escape,
                          struct error *error)
{
    *escape = '\\';
    if (eval->argument_count < 3)
        return OK;
    struct slice text = exec__eval_text(eval->arguments[2], row);
    if (text.size == 0) {
        *escape = NO_ESCAPE;
        return OK;
    }
    if (char_size(text, escape) == text.size)
        return OK;
    error_sql(error, "22019", eval->expr->position, "invalid escape string");
    error_hint(error, "Escape string must be empty or one character.");
    return ERR_SQL;
}

static status_t like_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    bool fold = eval->expr->call == CALL_ILIKE;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(&eval->out, row))
            continue;
        uint32_t escape;
        status = escape_of(eval, row, &escape, error);
        if (status != OK)
            return status;
        bool valid;
        eval->out.as.booleans[row] =
            like(exec__eval_text(eval->arguments[0], row), exec__eval_text(eval->arguments[1], row),
                 escape, fold, &valid);
        if (!valid)
            return error_sql(error, "22025", eval->expr->position,
                             "LIKE pattern must not end with escape character");
    }
    return OK;
}

eval_fn *exec__like_kernel(const struct expr *expr)
{
    return expr->call == CALL_LIKE || expr->call == CALL_ILIKE ? like_run : NULL;
}
