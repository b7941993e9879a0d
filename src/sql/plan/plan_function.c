/* The functions: names, what they take and give, and the choice among those of one name. */
#include <string.h>

#include "sql/plan/plan_char_int.h"

#define B SQL_BOOLEAN
#define I SQL_INTEGER
#define D SQL_DOUBLE
#define T SQL_TEXT
#define R SQL_REAL
#define N SQL_NUMERIC
#define U SQL_UUID
#define Y SQL_BYTEA

static const struct function functions[] = {
    {"abs", CALL_ABS, I, 1, 1, {I}},
    {"abs", CALL_ABS, D, 1, 1, {D}},
    {"abs", CALL_ABS, R, 1, 1, {R}},
    {"abs", CALL_ABS, N, 1, 1, {N}},
    {"ascii", CALL_ASCII, I, 1, 1, {T}},
    {"atan", CALL_ATAN, D, 1, 1, {D}},
    {"btrim", CALL_TRIM, T, 1, 2, {T, T}},
    {"ceil", CALL_CEIL, D, 1, 1, {D}},
    {"ceil", CALL_CEIL, N, 1, 1, {N}},
    {"ceiling", CALL_CEIL, D, 1, 1, {D}},
    {"ceiling", CALL_CEIL, N, 1, 1, {N}},
    {"char_length", CALL_LENGTH, I, 1, 1, {T}},
    {"character_length", CALL_LENGTH, I, 1, 1, {T}},
    {"chr", CALL_CHR, T, 1, 1, {I}},
    {"cos", CALL_COS, D, 1, 1, {D}},
    {"current_database", CALL_CURRENT_DATABASE, T, 0, 0, {0}},
    {"current_user", CALL_CURRENT_USER, T, 0, 0, {0}},
    {"currval", CALL_CURRVAL, I, 1, 1, {T}},
    {"decode", CALL_DECODE, Y, 2, 2, {T, T}},
    {"encode", CALL_ENCODE, T, 2, 2, {Y, T}},
    {"exp", CALL_EXP, D, 1, 1, {D}},
    {"floor", CALL_FLOOR, D, 1, 1, {D}},
    {"floor", CALL_FLOOR, N, 1, 1, {N}},
    {"gen_random_uuid", CALL_RANDOM_UUID, U, 0, 0, {0}},
    {"get_byte", CALL_GET_BYTE, I, 2, 2, {Y, I}},
    {"lastval", CALL_LASTVAL, I, 0, 0, {0}},
    {"left", CALL_LEFT, T, 2, 2, {T, I}},
    {"length", CALL_LENGTH, I, 1, 1, {T}},
    {"length", CALL_OCTET_LENGTH, I, 1, 1, {Y}},
    {"ln", CALL_LN, D, 1, 1, {D}},
    {"log", CALL_LOG10, D, 1, 1, {D}},
    {"log10", CALL_LOG10, D, 1, 1, {D}},
    {"lower", CALL_LOWER, T, 1, 1, {T}},
    {"lpad", CALL_LPAD, T, 2, 3, {T, I, T}},
    {"ltrim", CALL_LTRIM, T, 1, 2, {T, T}},
    {"md5", CALL_MD5, T, 1, 1, {T}},
    {"md5", CALL_MD5, T, 1, 1, {Y}},
    {"mod", CALL_MODULO, I, 2, 2, {I, I}},
    {"mod", CALL_MODULO, N, 2, 2, {N, N}},
    {"mod", CALL_MODULO, D, 2, 2, {D, D}},
    {"nextval", CALL_NEXTVAL, I, 1, 1, {T}},
    {"octet_length", CALL_OCTET_LENGTH, I, 1, 1, {T}},
    {"octet_length", CALL_OCTET_LENGTH, I, 1, 1, {Y}},
    {"pi", CALL_PI, D, 0, 0, {0}},
    {"position", CALL_POSITION, I, 2, 2, {T, T}},
    {"position", CALL_POSITION, I, 2, 2, {Y, Y}},
    {"pow", CALL_POWER, D, 2, 2, {D, D}},
    {"power", CALL_POWER, D, 2, 2, {D, D}},
    {"random", CALL_RANDOM, D, 0, 0, {0}},
    {"repeat", CALL_REPEAT, T, 2, 2, {T, I}},
    {"replace", CALL_REPLACE, T, 3, 3, {T, T, T}},
    {"reverse", CALL_REVERSE, T, 1, 1, {T}},
    {"right", CALL_RIGHT, T, 2, 2, {T, I}},
    {"round", CALL_ROUND, D, 1, 2, {D, I}},
    {"round", CALL_ROUND, N, 1, 2, {N, I}},
    {"rpad", CALL_RPAD, T, 2, 3, {T, I, T}},
    {"rtrim", CALL_RTRIM, T, 1, 2, {T, T}},
    {"setval", CALL_SETVAL, I, 2, 2, {T, I}},
    {"setval", CALL_SETVAL, I, 3, 3, {T, I, B}},
    {"sign", CALL_SIGN, D, 1, 1, {D}},
    {"sign", CALL_SIGN, N, 1, 1, {N}},
    {"sin", CALL_SIN, D, 1, 1, {D}},
    {"sqrt", CALL_SQRT, D, 1, 1, {D}},
    {"sqrt", CALL_SQRT, N, 1, 1, {N}},
    {"starts_with", CALL_STARTS_WITH, B, 2, 2, {T, T}},
    {"substr", CALL_SUBSTRING, T, 2, 3, {T, I, I}},
    {"substr", CALL_SUBSTRING, Y, 2, 3, {Y, I, I}},
    {"substring", CALL_SUBSTRING, T, 2, 3, {T, I, I}},
    {"substring", CALL_SUBSTRING, Y, 2, 3, {Y, I, I}},
    {"tan", CALL_TAN, D, 1, 1, {D}},
    {"trim", CALL_TRIM, T, 1, 2, {T, T}},
    {"trunc", CALL_TRUNC, D, 1, 2, {D, I}},
    {"trunc", CALL_TRUNC, N, 1, 2, {N, I}},
    {"upper", CALL_UPPER, T, 1, 1, {T}},
    {"acos", CALL_ACOS, D, 1, 1, {D}},
    {"asin", CALL_ASIN, D, 1, 1, {D}},
    {"atan2", CALL_ATAN2, D, 2, 2, {D, D}},
    {"cbrt", CALL_CBRT, D, 1, 1, {D}},
    {"cosh", CALL_COSH, D, 1, 1, {D}},
    {"cot", CALL_COT, D, 1, 1, {D}},
    {"current_schema", CALL_CURRENT_SCHEMA, T, 0, 0, {0}},
    {"degrees", CALL_DEGREES, D, 1, 1, {D}},
    {"gcd", CALL_GCD, I, 2, 2, {I, I}},
    {"initcap", CALL_INITCAP, T, 1, 1, {T}},
    {"lcm", CALL_LCM, I, 2, 2, {I, I}},
    {"overlay", CALL_OVERLAY, T, 3, 4, {T, T, I, I}},
    {"quote_ident", CALL_QUOTE_IDENT, T, 1, 1, {T}},
    {"radians", CALL_RADIANS, D, 1, 1, {D}},
    {"sinh", CALL_SINH, D, 1, 1, {D}},
    {"regexp_count", CALL_REGEXP_COUNT, I, 2, 4, {T, T, I, T}},
    {"regexp_like", CALL_REGEXP_LIKE, B, 2, 3, {T, T, T}},
    {"regexp_replace", CALL_REGEXP_REPLACE, T, 3, 4, {T, T, T, T}},
    {"regexp_replace", CALL_REGEXP_REPLACE, T, 4, 6, {T, T, T, I, I, T}},
    {"regexp_substr", CALL_REGEXP_SUBSTR, T, 2, 6, {T, T, I, I, T, I}},
    {"split_part", CALL_SPLIT_PART, T, 3, 3, {T, T, I}},
    {"strpos", CALL_STRPOS, I, 2, 2, {T, T}},
    {"tanh", CALL_TANH, D, 1, 1, {D}},
    {"to_hex", CALL_TO_HEX, T, 1, 1, {I}},
    {"translate", CALL_TRANSLATE, T, 3, 3, {T, T, T}},
    {"width_bucket", CALL_WIDTH_BUCKET, I, 4, 4, {D, D, D, I}},
    {"acosd", CALL_ACOSD, D, 1, 1, {D}},
    {"acosh", CALL_ACOSH, D, 1, 1, {D}},
    {"asind", CALL_ASIND, D, 1, 1, {D}},
    {"asinh", CALL_ASINH, D, 1, 1, {D}},
    {"atan2d", CALL_ATAN2D, D, 2, 2, {D, D}},
    {"atand", CALL_ATAND, D, 1, 1, {D}},
    {"atanh", CALL_ATANH, D, 1, 1, {D}},
    {"bit_count", CALL_BIT_COUNT, I, 1, 1, {Y}},
    {"bit_length", CALL_BIT_LENGTH, I, 1, 1, {T}},
    {"bit_length", CALL_BIT_LENGTH, I, 1, 1, {Y}},
    {"cosd", CALL_COSD, D, 1, 1, {D}},
    {"cotd", CALL_COTD, D, 1, 1, {D}},
    {"crc32", CALL_CRC32, I, 1, 1, {Y}},
    {"crc32c", CALL_CRC32C, I, 1, 1, {Y}},
    {"div", CALL_DIV, N, 2, 2, {N, N}},
    {"erf", CALL_ERF, D, 1, 1, {D}},
    {"erfc", CALL_ERFC, D, 1, 1, {D}},
    {"exp", CALL_EXP, N, 1, 1, {N}},
    {"factorial", CALL_FACTORIAL, N, 1, 1, {I}},
    {"gcd", CALL_GCD, N, 2, 2, {N, N}},
    {"get_bit", CALL_GET_BIT, I, 2, 2, {Y, I}},
    {"lcm", CALL_LCM, N, 2, 2, {N, N}},
    {"ln", CALL_LN, N, 1, 1, {N}},
    {"log", CALL_LOG10, N, 1, 1, {N}},
    {"log", CALL_LOG, N, 2, 2, {N, N}},
    {"log", CALL_LOG, D, 2, 2, {D, D}},
    {"log10", CALL_LOG10, N, 1, 1, {N}},
    {"min_scale", CALL_MIN_SCALE, I, 1, 1, {N}},
    {"pow", CALL_POWER, N, 2, 2, {N, N}},
    {"power", CALL_POWER, N, 2, 2, {N, N}},
    {"random", CALL_RANDOM, I, 2, 2, {I, I}},
    {"regexp_instr", CALL_REGEXP_INSTR, I, 2, 7, {T, T, I, I, I, T, I}},
    {"scale", CALL_SCALE, I, 1, 1, {N}},
    {"setseed", CALL_SETSEED, T, 1, 1, {D}},
    {"set_bit", CALL_SET_BIT, Y, 3, 3, {Y, I, I}},
    {"set_byte", CALL_SET_BYTE, Y, 3, 3, {Y, I, I}},
    {"sha224", CALL_SHA224, Y, 1, 1, {Y}},
    {"sha256", CALL_SHA256, Y, 1, 1, {Y}},
    {"sha384", CALL_SHA384, Y, 1, 1, {Y}},
    {"sha512", CALL_SHA512, Y, 1, 1, {Y}},
    {"sind", CALL_SIND, D, 1, 1, {D}},
    {"substring", CALL_REGEXP_PART, T, 2, 2, {T, T}},
    {"tand", CALL_TAND, D, 1, 1, {D}},
    {"to_bin", CALL_TO_BIN, T, 1, 1, {I}},
    {"to_char", CALL_TO_CHAR, T, 2, 2, {N, T}},
    {"to_char", CALL_TO_CHAR, T, 2, 2, {D, T}},
    {"to_number", CALL_TO_NUMBER, N, 2, 2, {T, T}},
    {"to_oct", CALL_TO_OCT, T, 1, 1, {I}},
    {"trim_scale", CALL_TRIM_SCALE, N, 1, 1, {N}},
    {"width_bucket", CALL_WIDTH_BUCKET, I, 4, 4, {N, N, N, I}},
    {"version", CALL_VERSION, T, 0, 0, {0}},
};

#undef B
#undef I
#undef D
#undef T
#undef R
#undef N
#undef U
#undef Y

static const struct {
    const char *name;
    enum aggregate_kind kind;
} aggregates[] = {
    {"count", AGGREGATE_COUNT},
    {"sum", AGGREGATE_SUM},
    {"avg", AGGREGATE_AVG},
    {"min", AGGREGATE_MIN},
    {"max", AGGREGATE_MAX},
    {"bool_and", AGGREGATE_BOOL_AND},
    {"bool_or", AGGREGATE_BOOL_OR},
    {"every", AGGREGATE_BOOL_AND},
    {"bit_and", AGGREGATE_BIT_AND},
    {"bit_or", AGGREGATE_BIT_OR},
    {"bit_xor", AGGREGATE_BIT_XOR},
    {"variance", AGGREGATE_VAR_SAMP},
    {"var_samp", AGGREGATE_VAR_SAMP},
    {"var_pop", AGGREGATE_VAR_POP},
    {"stddev", AGGREGATE_STDDEV_SAMP},
    {"stddev_samp", AGGREGATE_STDDEV_SAMP},
    {"stddev_pop", AGGREGATE_STDDEV_POP},
    {"string_agg", AGGREGATE_STRING},
    {"any_value", AGGREGATE_ANY},
    {"corr", AGGREGATE_CORR},
    {"covar_pop", AGGREGATE_COVAR_POP},
    {"covar_samp", AGGREGATE_COVAR_SAMP},
    {"regr_avgx", AGGREGATE_REGR_AVGX},
    {"regr_avgy", AGGREGATE_REGR_AVGY},
    {"regr_count", AGGREGATE_REGR_COUNT},
    {"regr_intercept", AGGREGATE_REGR_INTERCEPT},
    {"regr_r2", AGGREGATE_REGR_R2},
    {"regr_slope", AGGREGATE_REGR_SLOPE},
    {"regr_sxx", AGGREGATE_REGR_SXX},
    {"regr_sxy", AGGREGATE_REGR_SXY},
    {"regr_syy", AGGREGATE_REGR_SYY},
    {"percentile_cont", AGGREGATE_PERCENTILE_CONT},
    {"percentile_disc", AGGREGATE_PERCENTILE_DISC},
    {"mode", AGGREGATE_MODE},
};

enum { AGGREGATE_NAMES = sizeof aggregates / sizeof *aggregates };

bool plan__aggregate_by_name(const char *name, enum aggregate_kind *kind)
{
    for (size_t i = 0; i < AGGREGATE_NAMES; i++) {
        if (strcmp(aggregates[i].name, name) == 0) {
            *kind = aggregates[i].kind;
            return true;
        }
    }
    return false;
}

/* The nearest function's name, or NULL when it is one already, or none is near. */
static const char *nearest_function(const char *name)
{
    const char *nearest = NULL;
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        uint32_t distance = catalog_name_distance(name, functions[i].name);
        if (distance == 0)
            return NULL;
        if (distance < best) {
            best = distance;
            nearest = functions[i].name;
        }
    }
    return nearest;
}

/* What is written here for a function of another database. */
static const char *foreign_function(const char *name)
{
    static const char no_arrays[] = "There are no arrays: split_part(text, separator, n) gives one "
                                    "field, and many values are rows of a table.";
    static const char no_json[] = "There is no JSON: string_agg and format make texts, the shell "
                                  "prints rows with --format json.";
    static const char no_sets[] = "There are no grouping sets: UNION ALL puts queries with other "
                                  "GROUP BYs together.";
    static const struct {
        const char *name;
        const char *hint;
    } others[] = {
        {"ifnull", "coalesce(a, b) gives the first that is not NULL."},
        {"isnull", "coalesce(a, b) gives the first that is not NULL; a IS NULL is the condition."},
        {"nvl", "coalesce(a, b) gives the first that is not NULL."},
        {"iif", "It is CASE WHEN condition THEN a ELSE b END."},
        {"if", "It is CASE WHEN condition THEN a ELSE b END."},
        {"decode", "It is CASE a WHEN b THEN c END; decode(text, form) makes bytes."},
        {"group_concat", "string_agg(text, separator) joins the texts of a group."},
        {"listagg", "string_agg(text, separator) joins the texts of a group."},
        {"array_agg", "There are no arrays; string_agg(text, separator) joins texts."},
        {"unnest", no_arrays},
        {"string_to_array", no_arrays},
        {"array_to_string", no_arrays},
        {"array_length", no_arrays},
        {"cardinality", no_arrays},
        {"regexp_split_to_array", no_arrays},
        {"parse_ident", no_arrays},
        {"regexp_match", "regexp_substr(text, pattern, start, n, flags, group) gives a match, or a "
                         "group of it."},
        {"regexp_matches", "regexp_substr(text, pattern, start, n, flags, group) gives the n-th "
                           "match, or a group of it."},
        {"regexp_split_to_table", no_arrays},
        {"string_to_table", no_arrays},
        {"rollup", no_sets},
        {"cube", no_sets},
        {"grouping", no_sets},
        {"row_to_json", no_json},
        {"to_json", no_json},
        {"to_jsonb", no_json},
        {"pg_sleep", "Programs wait; the server does not."},
        {"date_add", "Intervals are added: timestamp + INTERVAL '1 day'."},
        {"date_sub", "Intervals are subtracted: timestamp - INTERVAL '1 day'."},
        {"len", "It is length(text)."},
        {"instr", "strpos(text, part) tells where a part is."},
        {"charindex", "strpos(text, part) tells where a part is."},
        {"locate", "strpos(text, part) tells where a part is."},
        {"ucase", "It is upper(text)."},
        {"lcase", "It is lower(text)."},
        {"datetime", "A cast makes a timestamp: '2024-02-29 10:30'::timestamp; now() is the "
                     "time."},
        {"date", "A cast makes a date: '2024-02-29'::date; current_date is today."},
        {"getdate", "now() is the time, current_date today."},
        {"sysdate", "now() is the time, current_date today."},
        {"curdate", "It is current_date."},
        {"strftime", "to_char(timestamp, 'YYYY-MM-DD') shows a timestamp."},
        {"date_format", "to_char(timestamp, 'YYYY-MM-DD') shows a timestamp."},
        {"julianday", "It is extract(julian FROM timestamp)."},
        {"unixepoch", "It is extract(epoch FROM timestamp)."},
        {"dateadd", "Intervals are added: timestamp + INTERVAL '1 day'."},
        {"datediff", "Dates are subtracted: a - b is a number of days."},
        {"year", "It is extract(year FROM date)."},
        {"month", "It is extract(month FROM date)."},
        {"day", "It is extract(day FROM date)."},
        {"last_insert_rowid", "INSERT ... RETURNING id gives the key; so does lastval()."},
        {"last_insert_id", "INSERT ... RETURNING id gives the key; so does lastval()."},
        {"rand", "It is random()."},
        {"newid", "It is gen_random_uuid()."},
        {"uuid", "It is gen_random_uuid()."},
        {"uuid_generate_v4", "It is gen_random_uuid()."},
        {"typeof", "It is pg_typeof(any)."},
        {"printf", "It is format('%s', any)."},
        {"hex", "encode(bytes, 'hex') of bytes, to_hex of integers."},
        {"char", "It is chr(integer)."},
        {"unicode", "It is ascii(text)."},
        {"total", "It is coalesce(sum(x), 0)."},
        {"convert", "It is CAST(x AS type), or x::type."},
        {"to_string", "It is CAST(x AS text), or x::text."},
        {"str", "It is CAST(x AS text), or x::text."},
        {"substring_index", "split_part(text, separator, n) gives one field."},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i].name, name) == 0)
            return others[i].hint;
    return strncmp(name, "json", 4) == 0 ? no_json : NULL;
}

static status_t no_such_function(struct planner *planner, const char *name, struct expr **arguments,
                                 uint32_t count, uint32_t position)
{
    struct buffer types = {.size_max = 160};
    for (uint32_t i = 0; i < count; i++)
        buffer_printf(&types, "%s%s", i ? ", " : "", type_name(arguments[i]->type));
    status_t status =
        error_sql(planner->error, "42883", position, "function %s(%.*s) does not exist", name,
                  (int)types.size, (const char *)types.data);
    const char *foreign = foreign_function(name);
    const char *near = foreign ? NULL : nearest_function(name);
    if (foreign)
        error_hint(planner->error, "%s", foreign);
    else if (near)
        error_hint(planner->error, "Perhaps you meant the function \"%s\".", near);
    else
        error_hint(planner->error, "No function matches the given name and argument types. You "
                                   "might need to add explicit type casts.");
    buffer_free(&types);
    return status;
}

/* How well the arguments fit: -1 not at all, otherwise the number of exact ones, doubled, and one
 * for each unknown that meets a double (PostgreSQL's preferred number type), or a quoted one that
 * meets a text. */
static int fit(const struct function *function, struct expr **arguments, uint32_t count)
{
    if (count < function->arguments_min || count > function->arguments_max)
        return -1;
    int score = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum sql_type have = arguments[i]->type;
        if (!plan__can_coerce(have, function->arguments[i]))
            return -1;
        bool literal = have == SQL_UNKNOWN && arguments[i]->kind == EXPR_CONSTANT;
        if (have == function->arguments[i])
            score += 2;
        else if (have == SQL_UNKNOWN && function->arguments[i] == SQL_DOUBLE)
            score += 1;
        else if (literal && !arguments[i]->constant.null && function->arguments[i] == SQL_TEXT)
            score += 1;
    }
    return score;
}

/* The best of a table, if it is better than the one there is. */
static void find(const struct function *table, size_t table_count, const char *name,
                 struct expr **arguments, uint32_t count, const struct function **best,
                 int *best_score)
{
    for (size_t i = 0; i < table_count; i++) {
        if (table[i].name[0] != name[0] || strcmp(table[i].name, name) != 0)
            continue;
        int score = fit(&table[i], arguments, count);
        if (score > *best_score) {
            *best = &table[i];
            *best_score = score;
        }
    }
}

static struct expr *function_call(struct planner *planner, const char *name, enum expr_call call,
                                  enum sql_type type, struct expr **arguments, uint32_t count,
                                  uint32_t position)
{
    struct expr *expr = plan__call(planner, call, type, position, arguments, count);
    expr->name = name;
    return expr;
}

/* concat(...): anything, as text; with `shown` as a client sees it, which of a boolean is the first
 * letter of what a cast makes of it. */
static status_t type_to_text(struct planner *planner, struct expr **arguments, uint32_t count,
                             bool shown)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t position = arguments[i]->position;
        if (shown)
            plan__char_to_shown(planner, &arguments[i]);
        bool letter = shown && arguments[i]->type == SQL_BOOLEAN;
        status_t status = plan__type_cast(
            planner, arguments[i], (struct type_spec){.kind = SQL_TEXT}, position, &arguments[i]);
        if (status)
            return status;
        if (!letter)
            continue;
        struct expr *one = plan__constant(planner, value_integer(1), position);
        arguments[i] = plan__call2(planner, CALL_LEFT, SQL_TEXT, position, arguments[i], one);
        arguments[i]->name = "left";
    }
    return OK;
}

/* Functions of arguments of any type, or of several that must be of one. */
static const struct polymorphic {
    const char *name;
    const char *shown;
    enum expr_call call;
    enum { ARGUMENTS_UNIFIED, ARGUMENTS_SHOWN, ARGUMENTS_TO_TEXT, ARGUMENTS_ANY } arguments;
    uint32_t least;
    uint32_t most;
} polymorphics[] = {
    {"coalesce", "COALESCE", CALL_COALESCE, ARGUMENTS_UNIFIED, 1, UINT32_MAX},
    {"nullif", "NULLIF", CALL_NULLIF, ARGUMENTS_UNIFIED, 2, 2},
    {"greatest", "GREATEST", CALL_GREATEST, ARGUMENTS_UNIFIED, 1, UINT32_MAX},
    {"least", "LEAST", CALL_LEAST, ARGUMENTS_UNIFIED, 1, UINT32_MAX},
    {"concat", "concat", CALL_CONCAT_FN, ARGUMENTS_SHOWN, 1, UINT32_MAX},
    {"concat_ws", "concat_ws", CALL_CONCAT_WS, ARGUMENTS_SHOWN, 2, UINT32_MAX},
    {"format", "format", CALL_FORMAT, ARGUMENTS_SHOWN, 1, UINT32_MAX},
    {"quote_literal", "quote_literal", CALL_QUOTE_LITERAL, ARGUMENTS_TO_TEXT, 1, 1},
    {"quote_nullable", "quote_nullable", CALL_QUOTE_NULLABLE, ARGUMENTS_TO_TEXT, 1, 1},
    {"num_nulls", "num_nulls", CALL_NUM_NULLS, ARGUMENTS_ANY, 1, UINT32_MAX},
    {"num_nonnulls", "num_nonnulls", CALL_NUM_NONNULLS, ARGUMENTS_ANY, 1, UINT32_MAX},
};

static status_t settle_all(struct planner *planner, struct expr **arguments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        status_t status = plan__settle(planner, &arguments[i]);
        if (status)
            return status;
    }
    return OK;
}

/* obj_description(relation) and col_description(relation, column's place), which are looked up when
 * the statement is planned: a plan is of one picture of the schema. */
static status_t type_description(struct planner *planner, bool column, struct expr **arguments,
                                 uint32_t count, uint32_t position, struct expr **out)
{
    const char *text = NULL;
    if (!planner->catalog)
        return error_sql(planner->error, "0A000", position,
                         "a description cannot be asked for here");
    for (uint32_t i = 0; i < count; i++)
        if (arguments[i]->kind != EXPR_CONSTANT || arguments[i]->constant.null)
            return error_sql(planner->error, "0A000", arguments[i]->position,
                             "the arguments of a description must be literals");
    const struct value *relation = &arguments[0]->constant;
    bool fits =
        type_is_slice(relation->type) && (!column || arguments[1]->constant.type == SQL_INTEGER);
    if (!fits)
        return error_sql(planner->error, "42883", position,
                         "a description is of a relation's name%s",
                         column ? " and the place of a column" : "");
    const char *name =
        arena_strndup(planner->arena, (const char *)relation->as.text.data, relation->as.text.size);
    const struct table *table = catalog_table(planner->catalog, name);
    const struct view *view = catalog_view(planner->catalog, name);
    const struct sequence *sequence = catalog_sequence(planner->catalog, name);
    uint32_t id = table ? table->id : view ? view->id : sequence ? sequence->id : 0;
    int64_t place = column ? arguments[1]->constant.as.integer - 1 : 0;
    int64_t places = table ? table_visible_count(table) : view ? view->column_count : 0;
    if (!column)
        text = catalog_comment(planner->catalog, id, COMMENT_RELATION, 0);
    else if (place >= 0 && place < places)
        text = catalog_comment(planner->catalog, id, COMMENT_COLUMN,
                               table ? table->columns[place].ordinal : (uint32_t)place);
    struct value value =
        text ? value_text(slice_from_string(arena_strndup(planner->arena, text, strlen(text))))
             : value_null(SQL_TEXT);
    *out = plan__constant(planner, value, position);
    return OK;
}

/* What the operator = of the two makes of the first one. */
static status_t type_nullif(struct planner *planner, struct expr **arguments, uint32_t position,
                            struct expr **out)
{
    uint32_t length = plan__char_compared_length(arguments[0], arguments[1]);
    struct expr *equal;
    status_t status =
        plan__type_operator(planner, CALL_EQ, "=", arguments[0], arguments[1], position, &equal);
    if (status)
        return status;
    ASSERT(equal->kind == EXPR_CALL && equal->argument_count == 2);
    *out = function_call(planner, "nullif", CALL_NULLIF, equal->arguments[0]->type,
                         equal->arguments, 2, position);
    if (length)
        (*out)->cast_limit = length;
    return OK;
}

/* *known tells whether it is one of them. */
static status_t type_polymorphic(struct planner *planner, const char *name, struct expr **arguments,
                                 uint32_t count, uint32_t position, bool *known, struct expr **out)
{
    *known = strcmp(name, "pg_typeof") == 0 && count == 1;
    if (*known) {
        const char *type = type_name(arguments[0]->type);
        if (plan__text_length(arguments[0]))
            type = plan__text_length(arguments[0]) & TYPE_LENGTH_CHAR ? "character"
                                                                      : "character varying";
        *out = plan__constant(planner, value_text(slice_from_string(type)), position);
        return OK;
    }
    bool of_column = strcmp(name, "col_description") == 0 && count == 2;
    *known = of_column || (strcmp(name, "obj_description") == 0 && (count == 1 || count == 2));
    if (*known)
        return type_description(planner, of_column, arguments, count, position, out);
    for (size_t i = 0; i < sizeof polymorphics / sizeof *polymorphics; i++) {
        const struct polymorphic *function = &polymorphics[i];
        if (strcmp(function->name, name) != 0 || count < function->least || count > function->most)
            continue;
        *known = true;
        enum sql_type type = SQL_TEXT;
        uint32_t length = 0;
        status_t status;
        if (function->arguments == ARGUMENTS_SHOWN || function->arguments == ARGUMENTS_TO_TEXT) {
            status =
                type_to_text(planner, arguments, count, function->arguments == ARGUMENTS_SHOWN);
        } else if (function->arguments == ARGUMENTS_ANY) {
            type = SQL_INTEGER;
            status = settle_all(planner, arguments, count);
        } else {
            if (function->call == CALL_NULLIF && plan__lenient_keeps(planner, arguments))
                return plan__lenient_nullif(planner, arguments, position, out);
            if (function->call == CALL_NULLIF && !planner->options->sqlite)
                return type_nullif(planner, arguments, position, out);
            status =
                plan__unify(planner, function->shown, arguments, count, 1, NULL, &type, &length);
        }
        if (status)
            return status;
        *out = function_call(planner, name, function->call, type, arguments, count, position);
        (*out)->cast_limit = length;
        return OK;
    }
    return OK;
}

status_t plan__type_function(struct planner *planner, const char *name, struct expr **arguments,
                             uint32_t count, uint32_t position, struct expr **out)
{
    ASSERT(name);
    bool known;
    status_t status = type_polymorphic(planner, name, arguments, count, position, &known, out);
    if (status || known)
        return status;
    /* In a zone: there it is cut, and the instant is that zone's. */
    if (count == 3 && strcmp(name, "date_trunc") == 0 &&
        plan__can_coerce(arguments[1]->type, SQL_TIMESTAMPTZ))
        return plan__trunc_in_zone(planner, arguments, position, out);
    /* PostgreSQL has these of numerics only. */
    bool of_digits = count == 2 && (strcmp(name, "round") == 0 || strcmp(name, "trunc") == 0);
    if (of_digits && !planner->options->sqlite && arguments[0]->type == SQL_INTEGER &&
        (status = plan__coerce(planner, &arguments[0], SQL_NUMERIC)))
        return status;
    const struct function *best = NULL;
    int best_score = -1;
    find(functions, sizeof functions / sizeof *functions, name, arguments, count, &best,
         &best_score);
    uint32_t datetime_count;
    const struct function *of_datetime = plan__datetime_functions(&datetime_count);
    find(of_datetime, datetime_count, name, arguments, count, &best, &best_score);
    if (!best)
        return no_such_function(planner, name, arguments, count, position);
    for (uint32_t i = 0; i < count; i++) {
        if (best->call == CALL_OCTET_LENGTH)
            plan__char_to_shown(planner, &arguments[i]);
        plan__char_to_text(planner, &arguments[i]);
        status = plan__coerce(planner, &arguments[i], best->arguments[i]);
        if (status)
            return status;
    }
    *out = function_call(planner, best->name, best->call, best->result, arguments, count, position);
    if (best->call == CALL_NEXTVAL)
        plan__note_nextvals(planner, *out, false);
    return OK;
}

/* ---- the list of them -------------------------------------------------------------------------
 */

static void of_row(const struct function *function, struct plan_function *out)
{
    *out = (struct plan_function){.name = function->name,
                                  .kind = "function",
                                  .arguments = function->arguments,
                                  .arguments_min = function->arguments_min,
                                  .arguments_max = function->arguments_max,
                                  .result = function->result};
}

bool plan_function_at(uint32_t i, struct plan_function *out)
{
    enum { FUNCTIONS = sizeof functions / sizeof *functions };
    enum { POLYMORPHICS = sizeof polymorphics / sizeof *polymorphics };
    uint32_t datetime_count;
    const struct function *of_datetime = plan__datetime_functions(&datetime_count);
    *out = (struct plan_function){.kind = "function", .arguments_max = UINT32_MAX};
    if (i < FUNCTIONS) {
        of_row(&functions[i], out);
        return true;
    }
    if ((i -= FUNCTIONS) < datetime_count) {
        of_row(&of_datetime[i], out);
        return true;
    }
    if ((i -= datetime_count) < POLYMORPHICS) {
        out->name = polymorphics[i].name;
        out->arguments_min = polymorphics[i].least;
        out->arguments_max = polymorphics[i].most;
        return true;
    }
    if ((i -= POLYMORPHICS) < AGGREGATE_NAMES) {
        out->name = aggregates[i].name;
        out->kind = "aggregate";
        return true;
    }
    i -= AGGREGATE_NAMES;
    if ((out->name = plan__window_name(i)) != NULL) {
        out->kind = "window";
        return true;
    }
    /* Those that the planner has a place of its own for. */
    static const struct plan_function others[] = {
        {.name = "pg_typeof", .kind = "function", .arguments_min = 1, .arguments_max = 1},
        {.name = "obj_description", .kind = "function", .arguments_min = 1, .arguments_max = 2},
        {.name = "col_description", .kind = "function", .arguments_min = 2, .arguments_max = 2},
        {.name = "generate_series", .kind = "set", .arguments_min = 2, .arguments_max = 3},
    };
    i -= plan__window_count();
    if (i >= sizeof others / sizeof *others)
        return false;
    *out = others[i];
    return true;
}
