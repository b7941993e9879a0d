/* Text functions. Positions and lengths are in characters (UTF-8), counted from 1 as SQL does. A
 * result that is a part of an argument points into it; others are made in the scratch arena. */
#include "sql/exec/exec_int.h"

#include <stdio.h>
#include <string.h>

#include "base/md5.h"
#include "base/utf8.h"

static struct slice text_argument(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_text(eval->arguments[argument], row);
}

static int64_t integer_argument(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_integer(eval->arguments[argument], row);
}

static status_t text_result(struct eval *eval, uint32_t row, const void *data, size_t size)
{
    eval->out.as.texts[row] = slice_make(data, size);
    return OK;
}

static status_t integer_result(struct eval *eval, uint32_t row, int64_t value)
{
    eval->out.as.integers[row] = value;
    return OK;
}

static status_t too_large(const struct eval *eval, struct error *error)
{
    return error_sql(error, "54000", eval->expr->position, "requested length too large");
}

/* Byte offset of the character number `count` (from 0), or the end. Eight characters at a time as
 * long as each is one byte. */
static size_t char_offset(struct slice text, uint64_t count)
{
    const uint64_t high_bits = 0x8080808080808080;
    size_t offset = 0;
    while (text.size - offset >= 8 && (get_u64_le(text.data + offset) & high_bits) == 0) {
        if (count < 8)
            return offset + count;
        offset += 8;
        count -= 8;
    }
    while (offset < text.size && count > 0) {
        offset++;
        while (offset < text.size && (text.data[offset] & 0xc0) == 0x80)
            offset++;
        count--;
    }
    return offset;
}

/* ---- making text -------------------------------------------------------------------------------
 */

static status_t concat_row(struct eval *eval, uint32_t row, struct error *error)
{
    size_t size = 0;
    for (uint32_t i = 0; i < eval->argument_count; i++)
        size += exec__eval_null(eval->arguments[i], row) ? 0 : text_argument(eval, i, row).size;
    if (size > EXEC_TEXT_SIZE_MAX)
        return too_large(eval, error);
    uint8_t *data = arena_alloc(eval->scratch, size);
    size_t at = 0;
    for (uint32_t i = 0; i < eval->argument_count; i++) {
        if (exec__eval_null(eval->arguments[i], row))
            continue;
        struct slice part = text_argument(eval, i, row);
        if (part.size)
            memcpy(data + at, part.data, part.size);
        at += part.size;
    }
    ASSERT(at == size);
    return text_result(eval, row, data, size);
}

uint32_t exec__char_upper(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    if ((c >= 0xe0 && c <= 0xfe && c != 0xf7) || (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2) ||
        (c >= 0x430 && c <= 0x44f))
        return c - 32;
    if (c >= 0x450 && c <= 0x45f)
        return c - 80;
    return c;
}

uint32_t exec__char_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) ||
        (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    return c;
}

/* Letters of Latin-1, Greek and Cyrillic change case, others stay; both cases of those take the
 * same number of bytes. */
static status_t case_row(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice text = text_argument(eval, 0, row);
    struct pace pace = {.exec = eval->exec};
    uint8_t *data = arena_alloc(eval->scratch, text.size);
    bool upper = eval->expr->call == CALL_UPPER;
    for (size_t at = 0; at < text.size;) {
        uint32_t c = text.data[at];
        size_t size = c < 0x80 ? 1 : utf8_decode(slice_make(text.data + at, text.size - at), &c);
        if (size <= 1) {
            data[at] = (uint8_t)(upper ? exec__char_upper(c) : exec__char_lower(c));
            at++;
            continue;
        }
        uint8_t bytes[4];
        size_t encoded = utf8_encode(upper ? exec__char_upper(c) : exec__char_lower(c), bytes);
        ASSERT(encoded == size);
        memcpy(data + at, bytes, size);
        at += size;
        status_t status = exec__pace(&pace, 8, error);
        if (status != OK)
            return status;
    }
    return text_result(eval, row, data, text.size);
}

enum { HIT_STEPS = 32 };

static status_t replace_row(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice text = text_argument(eval, 0, row);
    struct slice from = text_argument(eval, 1, row);
    struct slice to = text_argument(eval, 2, row);
    size_t hits = 0;
    struct pace pace = {.exec = eval->exec};
    status_t status = OK;
    const uint8_t *end = text.data + text.size;
    if (from.size > 0 && text.size >= from.size) { /* an empty text may have no address */
        const uint8_t *at = text.data;
        while (status == OK &&
               (at = memmem(at, (size_t)(end - at), from.data, from.size)) != NULL) {
            hits++;
            at += from.size;
            status = exec__pace(&pace, HIT_STEPS, error);
        }
    }
    if (status != OK)
        return status;
    if (hits == 0)
        return text_result(eval, row, text.data, text.size);
    if (to.size > 0 && hits > EXEC_TEXT_SIZE_MAX / to.size)
        return too_large(eval, error);
    size_t size = text.size - hits * from.size + hits * to.size;
    uint8_t *data = arena_alloc(eval->scratch, size);
    uint8_t *write = data;
    const uint8_t *read = text.data;
    const uint8_t *hit;
    while ((hit = memmem(read, (size_t)(end - read), from.data, from.size)) != NULL) {
        write = (uint8_t *)mempcpy(write, read, (size_t)(hit - read));
        if (to.size)
            write = (uint8_t *)mempcpy(write, to.data, to.size);
        read = hit + from.size;
        status = exec__pace(&pace, HIT_STEPS, error);
        if (status != OK)
            return status;
    }
    write = (uint8_t *)mempcpy(write, read, (size_t)(end - read));
    ASSERT((size_t)(write - data) == size);
    return text_result(eval, row, data, size);
}

static status_t reverse_row(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    struct slice text = text_argument(eval, 0, row);
    uint8_t *data = arena_alloc(eval->scratch, text.size);
    for (size_t at = 0; at < text.size;) {
        size_t size = char_offset(slice_make(text.data + at, text.size - at), 1);
        memcpy(data + text.size - at - size, text.data + at, size);
        at += size;
    }
    return text_result(eval, row, data, text.size);
}

static status_t repeat_row(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice text = text_argument(eval, 0, row);
    int64_t count = integer_argument(eval, 1, row);
    if (count <= 0 || text.size == 0)
        return text_result(eval, row, NULL, 0);
    if (count > (int64_t)(EXEC_TEXT_SIZE_MAX / text.size))
        return too_large(eval, error);
    size_t size = text.size * (size_t)count;
    uint8_t *data = arena_alloc(eval->scratch, size);
    for (size_t at = 0; at < size; at += text.size)
        memcpy(data + at, text.data, text.size);
    return text_result(eval, row, data, size);
}

/* lpad and rpad: to exactly `length` characters, cutting at the right end. */
static status_t pad_row(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice text = text_argument(eval, 0, row);
    int64_t length = integer_argument(eval, 1, row);
    struct slice fill =
        eval->argument_count > 2 ? text_argument(eval, 2, row) : slice_from_string(" ");
    if (length <= 0)
        return text_result(eval, row, NULL, 0);
    int64_t have = (int64_t)utf8_length(text);
    if (have >= length)
        return text_result(eval, row, text.data, char_offset(text, (uint64_t)length));
    if (fill.size == 0)
        return text_result(eval, row, text.data, text.size);
    if (length > EXEC_TEXT_SIZE_MAX / 4)
        return too_large(eval, error);
    uint64_t missing = (uint64_t)(length - have);
    uint64_t fill_length = utf8_length(fill);
    ASSERT(fill_length > 0);
    size_t rest = char_offset(fill, missing % fill_length);
    size_t pad = (size_t)(missing / fill_length) * fill.size + rest;
    if (pad > EXEC_TEXT_SIZE_MAX)
        return too_large(eval, error);
    uint8_t *data = arena_alloc(eval->scratch, pad + text.size);
    bool left = eval->expr->call == CALL_LPAD;
    uint8_t *write = left ? data : data + text.size;
    for (size_t at = 0; at < pad; at += fill.size)
        memcpy(write + at, fill.data, pad - at < fill.size ? pad - at : fill.size);
    if (text.size)
        memcpy(left ? data + pad : data, text.data, text.size);
    return text_result(eval, row, data, pad + text.size);
}

static status_t chr_row(struct eval *eval, uint32_t row, struct error *error)
{
    int64_t codepoint = integer_argument(eval, 0, row);
    if (codepoint < 0)
        return error_sql(error, "22023", eval->expr->position, "character number must be positive");
    if (codepoint == 0)
        return error_sql(error, "54000", eval->expr->position, "null character not permitted");
    uint8_t *data = arena_alloc(eval->scratch, 4);
    size_t size = codepoint <= 0x10ffff ? utf8_encode((uint32_t)codepoint, data) : 0;
    if (size == 0 && codepoint <= 0x10ffff)
        return error_sql(error, "54000", eval->expr->position,
                         "requested character not valid for encoding: %lld", (long long)codepoint);
    if (size == 0)
        return error_sql(error, "54000", eval->expr->position,
                         "requested character too large for encoding: %lld", (long long)codepoint);
    return text_result(eval, row, data, size);
}

static status_t md5_row(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    char *digest = arena_alloc(eval->scratch, 32);
    md5_hex(text_argument(eval, 0, row), digest);
    return text_result(eval, row, digest, 32);
}

/* ---- parts of text -----------------------------------------------------------------------------
 */

static bool set_has(struct slice set, const uint8_t *character, size_t size)
{
    return memmem(set.data, set.size, character, size) != NULL;
}

static status_t trim_row(struct eval *eval, uint32_t row, struct error *error)
{
    struct pace pace = {.exec = eval->exec};
    status_t status = OK;
    struct slice text = text_argument(eval, 0, row);
    struct slice set =
        eval->argument_count > 1 ? text_argument(eval, 1, row) : slice_from_string(" ");
    enum expr_call call = eval->expr->call;
    while (call != CALL_RTRIM && text.size > 0 && set.size > 0 && status == OK) {
        size_t size = char_offset(text, 1);
        if (!set_has(set, text.data, size))
            break;
        text = slice_make(text.data + size, text.size - size);
        status = exec__pace(&pace, set.size, error);
    }
    while (call != CALL_LTRIM && text.size > 0 && set.size > 0 && status == OK) {
        size_t at = text.size - 1;
        while (at > 0 && (text.data[at] & 0xc0) == 0x80)
            at--;
        if (!set_has(set, text.data + at, text.size - at))
            break;
        text.size = at;
        status = exec__pace(&pace, set.size, error);
    }
    if (status != OK)
        return status;
    return text_result(eval, row, text.data, text.size);
}

/* Of a call of substring: the first character wanted, from 1 on, and the first not wanted any more.
 */
static status_t substring_bounds(const struct eval *eval, uint32_t row, int64_t *from, int64_t *end,
                                 struct error *error)
{
    *from = integer_argument(eval, 1, row);
    *end = INT64_MAX;
    if (eval->argument_count > 2) {
        int64_t length = integer_argument(eval, 2, row);
        if (length < 0)
            return error_sql(error, "22011", eval->expr->position,
                             "negative substring length not allowed");
        if (__builtin_add_overflow(*from, length, end))
            *end = INT64_MAX;
    }
    if (*from < 1)
        *from = 1;
    return OK;
}

static inline struct slice substring_of(struct slice text, int64_t from, int64_t end)
{
    if (end <= from)
        return slice_make(NULL, 0);
    size_t start = char_offset(text, (uint64_t)(from - 1));
    struct slice rest = slice_make(text.data + start, text.size - start);
    return slice_make(rest.data, char_offset(rest, (uint64_t)(end - from)));
}

static status_t substring_row(struct eval *eval, uint32_t row, struct error *error)
{
    int64_t from, end;
    status_t status = substring_bounds(eval, row, &from, &end, error);
    if (status != OK)
        return status;
    struct slice part = substring_of(text_argument(eval, 0, row), from, end);
    return text_result(eval, row, part.data, part.size);
}

/* left and right: a negative count is of characters to leave away at the other end. */
static status_t side_row(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    struct slice text = text_argument(eval, 0, row);
    int64_t count = integer_argument(eval, 1, row);
    int64_t length = (int64_t)utf8_length(text);
    int64_t wanted = count;
    if (count < 0)
        wanted = count < -length ? 0 : length + count;
    else if (count > length)
        wanted = length;
    ASSERT(wanted >= 0 && wanted <= length);
    if (eval->expr->call == CALL_LEFT)
        return text_result(eval, row, text.data, char_offset(text, (uint64_t)wanted));
    size_t start = char_offset(text, (uint64_t)(length - wanted));
    return text_result(eval, row, text.data + start, text.size - start);
}

/* ---- facts about text --------------------------------------------------------------------------
 */

static status_t length_row(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    struct slice text = text_argument(eval, 0, row);
    bool octets = eval->expr->call == CALL_OCTET_LENGTH;
    return integer_result(eval, row, (int64_t)(octets ? text.size : utf8_length(text)));
}

static status_t position_row(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    struct slice needle = text_argument(eval, 0, row);
    struct slice text = text_argument(eval, 1, row);
    if (needle.size == 0)
        return integer_result(eval, row, 1);
    const uint8_t *hit = text.size ? memmem(text.data, text.size, needle.data, needle.size) : NULL;
    if (!hit)
        return integer_result(eval, row, 0);
    size_t before = utf8_length(slice_make(text.data, (size_t)(hit - text.data)));
    return integer_result(eval, row, (int64_t)before + 1);
}

static status_t starts_with_row(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    eval->out.as.booleans[row] =
        slice_has_prefix(text_argument(eval, 0, row), text_argument(eval, 1, row));
    return OK;
}

static status_t ascii_row(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    uint32_t codepoint = 0;
    utf8_decode(text_argument(eval, 0, row), &codepoint);
    return integer_result(eval, row, codepoint);
}

/* ---- the world ---------------------------------------------------------------------------------
 */

static status_t world_row(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    const char *text = "toydb"; /* the one user, the one database */
    if (eval->expr->call == CALL_VERSION)
        text = "toyDB " TOYDB_VERSION;
    else if (eval->expr->call == CALL_CURRENT_SCHEMA)
        text = "public";
    return text_result(eval, row, text, strlen(text));
}

/* ---- */

static eval_row_fn *row_function(enum expr_call call)
{
    static eval_row_fn *const functions[CALL_COUNT_] = {
        [CALL_CONCAT] = concat_row,
        [CALL_CONCAT_FN] = concat_row,
        [CALL_LENGTH] = length_row,
        [CALL_OCTET_LENGTH] = length_row,
        [CALL_UPPER] = case_row,
        [CALL_LOWER] = case_row,
        [CALL_TRIM] = trim_row,
        [CALL_LTRIM] = trim_row,
        [CALL_RTRIM] = trim_row,
        [CALL_SUBSTRING] = substring_row,
        [CALL_REPLACE] = replace_row,
        [CALL_POSITION] = position_row,
        [CALL_LEFT] = side_row,
        [CALL_RIGHT] = side_row,
        [CALL_REVERSE] = reverse_row,
        [CALL_REPEAT] = repeat_row,
        [CALL_LPAD] = pad_row,
        [CALL_RPAD] = pad_row,
        [CALL_STARTS_WITH] = starts_with_row,
        [CALL_ASCII] = ascii_row,
        [CALL_CHR] = chr_row,
        [CALL_MD5] = md5_row,
        [CALL_VERSION] = world_row,
        [CALL_CURRENT_USER] = world_row,
        [CALL_CURRENT_DATABASE] = world_row,
        [CALL_CURRENT_SCHEMA] = world_row,
    };
    ASSERT((uint32_t)call < CALL_COUNT_);
    return functions[call];
}

static status_t rows_run(struct eval *eval, const struct batch *in, struct error *error)
{
    return exec__eval_rows(eval, in, row_function(eval->expr->call), error);
}

static status_t text_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    return status != OK || all_null ? status : rows_run(eval, in, error);
}

/* The same part of all texts. Under a NULL there is an empty one. */
static status_t substring_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    int64_t from, end;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    bool same = !eval->arguments[0]->constant && eval->arguments[1]->constant &&
                (eval->argument_count == 2 || eval->arguments[2]->constant);
    if (!same || substring_bounds(eval, 0, &from, &end, NULL) != OK)
        return rows_run(eval, in, error);
    struct pace pace = {.exec = eval->exec};
    for (uint32_t i = 0; i < in->selected && status == OK; i++) {
        uint32_t row = batch_row(in, i);
        struct slice text = eval->arguments[0]->result->as.texts[row];
        eval->out.as.texts[row] = substring_of(text, from, end);
        status = exec__pace(&pace, text.size, error);
    }
    return status;
}

/* concat(...) skips NULLs. */
static status_t concat_function_run(struct eval *eval, const struct batch *in, struct error *error)
{
    for (uint32_t i = 0; i < eval->argument_count; i++) {
        status_t status = exec__eval_run(eval->arguments[i], in, error);
        if (status != OK)
            return status;
    }
    exec__eval_prepare(eval, in->row_count);
    return rows_run(eval, in, error);
}

eval_fn *exec__text_kernel(const struct expr *expr)
{
    if (expr->call == CALL_CONCAT_FN)
        return concat_function_run;
    if (expr->call == CALL_SUBSTRING)
        return substring_run;
    return row_function(expr->call) ? text_run : NULL;
}
