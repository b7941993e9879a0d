/* Type names, as declared and as shown. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "sql/types/types.h"

enum {
    VARCHAR_LENGTH_MAX = 10485760, /* characters, PostgreSQL's limit */
    FLOAT_PRECISION_MAX = 53,      /* bits, as in FLOAT(53) */
    REAL_PRECISION_MAX = 24,
    SECOND_DIGITS_MAX = 6,
};

/* What a number in parentheses means to a spelling. */
enum length_use {
    LENGTH_NONE,
    LENGTH_CHARACTERS,
    LENGTH_BITS,   /* FLOAT(24) is a real */
    LENGTH_DIGITS, /* and scale */
    LENGTH_SECOND, /* digits of it */
};

struct spelling {
    const char *name;
    struct type_spec spec;
    enum length_use length;
};

/* INT and INTEGER hold 64 bits here, so that a script written for 64-bit integers runs unchanged;
 * the spellings that state a size are held to it. */
static const struct spelling spellings[] = {
    {"boolean", {.kind = SQL_BOOLEAN}, LENGTH_NONE},
    {"bool", {.kind = SQL_BOOLEAN}, LENGTH_NONE},
    {"integer", {.kind = SQL_INTEGER}, LENGTH_NONE},
    {"int", {.kind = SQL_INTEGER}, LENGTH_NONE},
    {"bigint", {.kind = SQL_INTEGER}, LENGTH_NONE},
    {"int8", {.kind = SQL_INTEGER}, LENGTH_NONE},
    {"int4", {.kind = SQL_INTEGER, .length_max = 32}, LENGTH_NONE},
    {"int2", {.kind = SQL_INTEGER, .length_max = 16}, LENGTH_NONE},
    {"smallint", {.kind = SQL_INTEGER, .length_max = 16}, LENGTH_NONE},
    {"double precision", {.kind = SQL_DOUBLE}, LENGTH_NONE},
    {"double", {.kind = SQL_DOUBLE}, LENGTH_NONE},
    {"float8", {.kind = SQL_DOUBLE}, LENGTH_NONE},
    {"float4", {.kind = SQL_REAL}, LENGTH_NONE},
    {"float", {.kind = SQL_DOUBLE}, LENGTH_BITS},
    {"real", {.kind = SQL_REAL}, LENGTH_NONE},
    {"numeric", {.kind = SQL_NUMERIC}, LENGTH_DIGITS},
    {"decimal", {.kind = SQL_NUMERIC}, LENGTH_DIGITS},
    {"dec", {.kind = SQL_NUMERIC}, LENGTH_DIGITS},
    {"text", {.kind = SQL_TEXT}, LENGTH_NONE},
    {"string", {.kind = SQL_TEXT}, LENGTH_NONE},
    {"varchar", {.kind = SQL_TEXT, .length_max = TYPE_LENGTH_VARCHAR}, LENGTH_CHARACTERS},
    {"character varying", {.kind = SQL_TEXT, .length_max = TYPE_LENGTH_VARCHAR}, LENGTH_CHARACTERS},
    {"char varying", {.kind = SQL_TEXT, .length_max = TYPE_LENGTH_VARCHAR}, LENGTH_CHARACTERS},
    {"character", {.kind = SQL_TEXT, .length_max = TYPE_LENGTH_CHAR | 1}, LENGTH_CHARACTERS},
    {"char", {.kind = SQL_TEXT, .length_max = TYPE_LENGTH_CHAR | 1}, LENGTH_CHARACTERS},
    {"bytea", {.kind = SQL_BYTEA}, LENGTH_NONE},
    {"blob", {.kind = SQL_BYTEA}, LENGTH_NONE},
    {"date", {.kind = SQL_DATE}, LENGTH_NONE},
    {"time", {.kind = SQL_TIME}, LENGTH_SECOND},
    {"time without time zone", {.kind = SQL_TIME}, LENGTH_SECOND},
    {"timestamp", {.kind = SQL_TIMESTAMP}, LENGTH_SECOND},
    {"timestamp without time zone", {.kind = SQL_TIMESTAMP}, LENGTH_SECOND},
    {"timestamptz", {.kind = SQL_TIMESTAMPTZ}, LENGTH_SECOND},
    {"timestamp with time zone", {.kind = SQL_TIMESTAMPTZ}, LENGTH_SECOND},
    {"interval", {.kind = SQL_INTERVAL}, LENGTH_SECOND},
    {"uuid", {.kind = SQL_UUID}, LENGTH_NONE},
};

const char *type_name(enum sql_type type)
{
    static const char *const names[SQL_TYPE_COUNT] = {
        [SQL_UNKNOWN] = "unknown",
        [SQL_BOOLEAN] = "boolean",
        [SQL_INTEGER] = "integer",
        [SQL_DOUBLE] = "double precision",
        [SQL_TEXT] = "text",
        [SQL_REAL] = "real",
        [SQL_NUMERIC] = "numeric",
        [SQL_BYTEA] = "bytea",
        [SQL_DATE] = "date",
        [SQL_TIME] = "time without time zone",
        [SQL_TIMESTAMP] = "timestamp without time zone",
        [SQL_TIMESTAMPTZ] = "timestamp with time zone",
        [SQL_INTERVAL] = "interval",
        [SQL_UUID] = "uuid",
    };
    ASSERT((int)type >= 0 && type < SQL_TYPE_COUNT);
    return names[type];
}

void type_spec_name(struct type_spec spec, char *out, size_t size)
{
    ASSERT(out && size > 0);
    if (spec.kind == SQL_TEXT && spec.length_max == TYPE_LENGTH_VARCHAR)
        snprintf(out, size, "character varying");
    else if (spec.kind == SQL_TEXT && spec.length_max)
        snprintf(out, size, "character%s(%u)", spec.length_max & TYPE_LENGTH_CHAR ? "" : " varying",
                 spec.length_max & ~TYPE_LENGTH_CHAR);
    else if (spec.kind == SQL_INTEGER && spec.length_max)
        snprintf(out, size, "%s", spec.length_max == 16 ? "smallint" : "int4");
    else if (spec.kind == SQL_NUMERIC && spec.length_max)
        snprintf(out, size, "numeric(%u,%u)", spec.length_max >> 8, spec.length_max & 0xff);
    else if (spec.kind == SQL_INTERVAL && spec.length_max)
        snprintf(out, size, "interval(%u)", spec.length_max - 1);
    else if (spec.length_max)
        snprintf(out, size, "%s(%u)%s", spec.kind == SQL_TIME ? "time" : "timestamp",
                 spec.length_max - 1,
                 spec.kind == SQL_TIMESTAMPTZ ? " with time zone" : " without time zone");
    else
        snprintf(out, size, "%s", type_name(spec.kind));
}

/* NUMERIC(p) is NUMERIC(p, 0). */
static bool digits_fit(int64_t precision, int64_t scale, struct type_spec *out)
{
    if (scale < 0)
        scale = 0;
    out->length_max = (uint32_t)(precision << 8 | scale);
    return precision >= 1 && precision <= NUMERIC_DIGITS_MAX && scale <= precision;
}

bool type_spec_parse(const char *name, int64_t length, int64_t scale, struct type_spec *out)
{
    ASSERT(name && out);
    ASSERT(length >= 0 || scale < 0);
    const struct spelling *found = NULL;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings && !found; i++)
        if (strcasecmp(name, spellings[i].name) == 0)
            found = &spellings[i];
    if (!found)
        return false;
    *out = found->spec;
    if (length < 0)
        return true;
    if (scale >= 0 && found->length != LENGTH_DIGITS)
        return false;
    switch (found->length) {
    case LENGTH_CHARACTERS:
        out->length_max = (uint32_t)length | (found->spec.length_max & TYPE_LENGTH_CHAR);
        return length >= 1 && length <= VARCHAR_LENGTH_MAX;
    case LENGTH_BITS:
        out->kind = length <= REAL_PRECISION_MAX ? SQL_REAL : SQL_DOUBLE;
        return length >= 1 && length <= FLOAT_PRECISION_MAX;
    case LENGTH_DIGITS:
        return digits_fit(length, scale, out);
    case LENGTH_SECOND:
        out->length_max = (uint32_t)length + 1;
        return length <= SECOND_DIGITS_MAX;
    case LENGTH_NONE:
        break;
    }
    return false;
}
