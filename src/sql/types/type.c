/* Type names, as declared and as shown. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "sql/types/types.h"

enum {
    VARCHAR_LENGTH_MAX = 10485760, /* characters, PostgreSQL's limit */
    FLOAT_PRECISION_MAX = 53,      /* bits, as in FLOAT(53) */
};

/* What a number in parentheses means to a spelling. */
enum length_use { LENGTH_NONE, LENGTH_CHARACTERS, LENGTH_PRECISION };

struct spelling {
    const char *name;
    struct type_spec spec;
    enum length_use length;
};

/* INT and INTEGER hold 64 bits here, so that a script written for 64-bit integers runs unchanged;
 * the spellings that state a size are held to it. CHAR(n) is not padded: it is VARCHAR(n). */
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
    {"float4", {.kind = SQL_DOUBLE}, LENGTH_NONE},
    {"float", {.kind = SQL_DOUBLE}, LENGTH_PRECISION},
    {"real", {.kind = SQL_DOUBLE}, LENGTH_NONE},
    {"text", {.kind = SQL_TEXT}, LENGTH_NONE},
    {"string", {.kind = SQL_TEXT}, LENGTH_NONE},
    {"varchar", {.kind = SQL_TEXT}, LENGTH_CHARACTERS},
    {"character varying", {.kind = SQL_TEXT}, LENGTH_CHARACTERS},
    {"char varying", {.kind = SQL_TEXT}, LENGTH_CHARACTERS},
    {"character", {.kind = SQL_TEXT, .length_max = 1}, LENGTH_CHARACTERS},
    {"char", {.kind = SQL_TEXT, .length_max = 1}, LENGTH_CHARACTERS},
};

const char *type_name(enum sql_type type)
{
    static const char *const names[SQL_TYPE_COUNT] = {
        [SQL_UNKNOWN] = "unknown",         [SQL_BOOLEAN] = "boolean", [SQL_INTEGER] = "integer",
        [SQL_DOUBLE] = "double precision", [SQL_TEXT] = "text",
    };
    ASSERT((int)type >= 0 && type < SQL_TYPE_COUNT);
    return names[type];
}

void type_spec_name(struct type_spec spec, char *out, size_t size)
{
    ASSERT(out && size > 0);
    if (spec.kind == SQL_TEXT && spec.length_max)
        snprintf(out, size, "character varying(%u)", spec.length_max);
    else if (spec.kind == SQL_INTEGER && spec.length_max)
        snprintf(out, size, "%s", spec.length_max == 16 ? "smallint" : "int4");
    else
        snprintf(out, size, "%s", type_name(spec.kind));
}

bool type_spec_parse(const char *name, int64_t length, struct type_spec *out)
{
    ASSERT(name && out);
    const struct spelling *found = NULL;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings && !found; i++)
        if (strcasecmp(name, spellings[i].name) == 0)
            found = &spellings[i];
    if (!found)
        return false;
    *out = found->spec;
    if (length < 0)
        return true;
    switch (found->length) {
    case LENGTH_CHARACTERS:
        out->length_max = (uint32_t)length;
        return length >= 1 && length <= VARCHAR_LENGTH_MAX;
    case LENGTH_PRECISION:
        return length >= 1 && length <= FLOAT_PRECISION_MAX;
    case LENGTH_NONE:
        break;
    }
    return false;
}
