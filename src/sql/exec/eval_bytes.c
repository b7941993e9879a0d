/* Functions of bytes, and random UUIDs. Positions count bytes, from 1. */
#include "sql/exec/exec_int.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"

static struct slice bytes_argument(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_text(eval->arguments[argument], row);
}

static status_t substring_row(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice bytes = bytes_argument(eval, 0, row);
    int64_t from = exec__eval_integer(eval->arguments[1], row);
    int64_t end = INT64_MAX; /* first byte not wanted */
    if (eval->argument_count > 2) {
        int64_t length = exec__eval_integer(eval->arguments[2], row);
        if (length < 0)
            return error_sql(error, "22011", eval->expr->position,
                             "negative substring length not allowed");
        if (__builtin_add_overflow(from, length, &end))
            end = INT64_MAX;
    }
    int64_t size = (int64_t)bytes.size;
    from = from < 1 ? 1 : from > size + 1 ? size + 1 : from;
    end = end < from ? from : end > size + 1 ? size + 1 : end;
    eval->out.as.texts[row] = slice_make(bytes.data + (from - 1), (size_t)(end - from));
    return OK;
}

static status_t position_row(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    struct slice needle = bytes_argument(eval, 0, row);
    struct slice bytes = bytes_argument(eval, 1, row);
    eval->out.as.integers[row] = 0;
    const uint8_t *found = NULL;
    if (needle.size == 0)
        eval->out.as.integers[row] = 1;
    else if (bytes.size >= needle.size)
        found = memmem(bytes.data, bytes.size, needle.data, needle.size);
    if (found)
        eval->out.as.integers[row] = found - bytes.data + 1;
    return OK;
}

static status_t get_byte_row(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice bytes = bytes_argument(eval, 0, row);
    int64_t at = exec__eval_integer(eval->arguments[1], row);
    if (at < 0 || at >= (int64_t)bytes.size)
        return error_sql(error, "2202E", eval->expr->position,
                         "index %lld out of valid range, 0..%lld", (long long)at,
                         (long long)bytes.size - 1);
    eval->out.as.integers[row] = bytes.data[at];
    return OK;
}

/* ---- base64 (RFC 4648) --------------------------------------------------------------------------
 */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { LINE_BYTES = 57, ENCODE_PIECE = LINE_BYTES << 14 };

/* With a line break after 76 characters, as RFC 2045 has it and PostgreSQL does; `goes_on`: behind
 * whole lines that are there. */
static void base64_encode(struct slice bytes, bool goes_on, struct buffer *out)
{
    for (size_t i = 0; i < bytes.size; i += 3) {
        if ((i > 0 || goes_on) && i % LINE_BYTES == 0)
            buffer_append_byte(out, '\n');
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        if (left > 1)
            group |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2)
            group |= bytes.data[i + 2];
        buffer_append_byte(out, (uint8_t)base64_digits[group >> 18]);
        buffer_append_byte(out, (uint8_t)base64_digits[group >> 12 & 63]);
        buffer_append_byte(out, (uint8_t)(left > 1 ? base64_digits[group >> 6 & 63] : '='));
        buffer_append_byte(out, (uint8_t)(left > 2 ? base64_digits[group & 63] : '='));
    }
}

static bool base64_decode(struct slice text, struct buffer *out)
{
    uint32_t group = 0;
    unsigned digits = 0;
    unsigned ends = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == ' ' || (c >= '\t' && c <= '\r'))
            continue;
        const char *digit = c ? strchr(base64_digits, c) : NULL;
        if (c == '=' && digits + ends >= 2 && digits + ends < 4) {
            ends++;
            continue;
        }
        if (!digit || ends > 0)
            return false;
        group = group << 6 | (uint32_t)(digit - base64_digits);
        if (++digits == 4) {
            uint8_t bytes[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
            buffer_append(out, bytes, sizeof bytes);
            digits = 0;
            group = 0;
        }
    }
    if (digits == 0 && ends == 0)
        return true;
    if (digits + ends != 4)
        return false;
    group <<= 6 * ends;
    uint8_t bytes[2] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8)};
    buffer_append(out, bytes, 3 - ends);
    return true;
}

/* ---- encode and decode --------------------------------------------------------------------------
 */

enum form { FORM_HEX, FORM_BASE64, FORM_ESCAPE };

static status_t form_of(const struct eval *eval, uint32_t row, enum form *form, struct error *error)
{
    static const char *const names[] = {"hex", "base64", "escape"};
    struct slice name = bytes_argument(eval, 1, row);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (name.size == strlen(names[i]) &&
            strncasecmp((const char *)name.data, names[i], name.size) == 0) {
            *form = (enum form)i;
            return OK;
        }
    }
    int shown = name.size > 64 ? 64 : (int)name.size;
    error_sql(error, "22023", eval->expr->position, "unrecognized encoding: \"%.*s\"", shown,
              (const char *)name.data);
    error_hint(error, "The encodings are hex, base64 and escape.");
    return ERR_SQL;
}

static status_t encode_row(struct eval *eval, uint32_t row, struct error *error)
{
    enum form form;
    status_t status = form_of(eval, row, &form, error);
    if (status != OK)
        return status;
    struct slice bytes = bytes_argument(eval, 0, row);
    struct buffer text = {0};
    for (size_t at = 0; at < bytes.size && status == OK; at += ENCODE_PIECE) {
        size_t size = bytes.size - at < ENCODE_PIECE ? bytes.size - at : ENCODE_PIECE;
        struct slice piece = slice_make(bytes.data + at, size);
        if (form == FORM_HEX)
            bytes_to_hex(piece, &text);
        else if (form == FORM_BASE64)
            base64_encode(piece, at > 0, &text);
        else
            bytes_to_escaped(piece, &text);
        status = exec__cancel_check(eval->exec, error);
    }
    eval->out.as.texts[row] = arena_copy(eval->scratch, buffer_slice(&text));
    buffer_free(&text);
    return status;
}

static status_t decode_row(struct eval *eval, uint32_t row, struct error *error)
{
    enum form form;
    status_t status = form_of(eval, row, &form, error);
    if (status != OK)
        return status;
    struct slice text = bytes_argument(eval, 0, row);
    struct slice *out = &eval->out.as.texts[row];
    uint8_t culprit;
    struct buffer bytes = {0};
    bool valid;
    if (form == FORM_HEX) {
        enum bytes_fault fault = bytes_from_hex(text, eval->scratch, out, &culprit);
        if (fault == BYTES_DIGIT && culprit > ' ' && culprit < 0x7f)
            return error_sql(error, "22023", eval->expr->position,
                             "invalid hexadecimal digit: \"%c\"", culprit);
        if (fault == BYTES_ODD)
            return error_sql(error, "22023", eval->expr->position,
                             "invalid hexadecimal data: odd number of digits");
        valid = fault == BYTES_OK;
    } else if (form == FORM_ESCAPE) {
        valid = bytes_from_escaped(text, eval->scratch, out);
    } else {
        valid = base64_decode(text, &bytes);
        *out = arena_copy(eval->scratch, buffer_slice(&bytes));
        buffer_free(&bytes);
    }
    static const char *const names[] = {"hexadecimal", "base64", "escaped"};
    return valid ? OK
                 : error_sql(error, "22023", eval->expr->position, "invalid %s data", names[form]);
}

/* ---- running them -------------------------------------------------------------------------------
 */

static eval_row_fn *row_function(const struct expr *expr)
{
    bool bytes = expr->argument_count > 0 && expr->arguments[0]->type == SQL_BYTEA;
    switch (expr->call) {
    case CALL_SUBSTRING:
        return bytes ? substring_row : NULL;
    case CALL_POSITION:
        return bytes ? position_row : NULL;
    case CALL_GET_BYTE:
        return get_byte_row;
    case CALL_ENCODE:
        return encode_row;
    case CALL_DECODE:
        return decode_row;
    default:
        return NULL;
    }
}

static status_t rows_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    return status != OK || all_null ? status
                                    : exec__eval_rows(eval, in, row_function(eval->expr), error);
}

static status_t uuid_run(struct eval *eval, const struct batch *in, struct error *error)
{
    (void)error;
    exec__eval_prepare(eval, in->row_count);
    for (uint32_t i = 0; i < in->selected; i++) {
        uint8_t random[sizeof(struct uuid)];
        env_random_bytes(eval->exec->top->context.env, random, sizeof random);
        eval->out.as.uuids[batch_row(in, i)] = uuid_from_random(random);
    }
    return OK;
}

eval_fn *exec__bytes_kernel(const struct expr *expr)
{
    if (expr->call == CALL_RANDOM_UUID)
        return uuid_run;
    return row_function(expr) ? rows_run : NULL;
}
