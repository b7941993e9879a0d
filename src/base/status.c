#include "base/status.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

struct status_row {
    const char *name;
    const char *sqlstate;
    enum status_kind kind;
    const char *text;
};

#define STATUS_ROW(name, sqlstate, kind, text) {#name, sqlstate, kind, text},
static const struct status_row status_rows[] = {STATUS_CODES(STATUS_ROW)};
#undef STATUS_ROW

static const struct status_row *status_row(status_t status)
{
    ASSERT((int)status >= 0 && status < STATUS_COUNT);
    return &status_rows[status];
}

const char *status_name(status_t status)
{
    return status_row(status)->name;
}

const char *status_text(status_t status)
{
    return status_row(status)->text;
}

const char *status_sqlstate(status_t status)
{
    return status_row(status)->sqlstate;
}

enum status_kind status_kind(status_t status)
{
    return status_row(status)->kind;
}

/* vsnprintf cuts at a byte; walk back over a multi-byte character cut in two. */
static void text_format(char *out, size_t size, const char *format, va_list args)
{
    int length = vsnprintf(out, size, format, args);
    if (length < 0) {
        out[0] = '\0';
        return;
    }
    if ((size_t)length < size)
        return;
    size_t end = size - 1;
    size_t start = end;
    while (start > 0 && ((unsigned char)out[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && ((unsigned char)out[start - 1] & 0xc0) == 0xc0)
        out[start - 1] = '\0';
}

static void error_fill(struct error *error, status_t status, const char *sqlstate,
                       uint32_t position, const char *format, va_list args)
{
    ASSERT(strlen(sqlstate) == 5);
    error->status = status;
    memcpy(error->sqlstate, sqlstate, 6);
    error->position = position;
    error->detail[0] = '\0';
    error->hint[0] = '\0';
    text_format(error->message, sizeof error->message, format, args);
}

status_t error_set(struct error *error, status_t status, const char *format, ...)
{
    ASSERT(status != OK);
    if (error) {
        va_list args;
        va_start(args, format);
        error_fill(error, status, status_sqlstate(status), 0, format, args);
        va_end(args);
    }
    return status;
}

status_t error_sql(struct error *error, const char *sqlstate, uint32_t position, const char *format,
                   ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        error_fill(error, ERR_SQL, sqlstate, position, format, args);
        va_end(args);
    }
    return ERR_SQL;
}

void error_detail(struct error *error, const char *format, ...)
{
    if (!error)
        return;
    va_list args;
    va_start(args, format);
    text_format(error->detail, sizeof error->detail, format, args);
    va_end(args);
}

void error_hint(struct error *error, const char *format, ...)
{
    if (!error)
        return;
    va_list args;
    va_start(args, format);
    text_format(error->hint, sizeof error->hint, format, args);
    va_end(args);
}

void error_clear(struct error *error)
{
    if (error) {
        /* Texts are emptied, not wiped: it is cleared with each statement. */
        error->status = OK;
        memcpy(error->sqlstate, "00000", sizeof error->sqlstate);
        error->position = 0;
        error->message[0] = error->detail[0] = error->hint[0] = '\0';
    }
}
