/* What an index may rest on: expressions that give the same for the same row whoever asks,
 * whenever.
 *
 * Clocks, names and chance do not; nor does what depends on the session's time zone. That is every
 * step between an instant and anything that is none, and a text read as a date, which may be
 * "today". Comparing instants is as good as comparing numbers. */
#include "sql/plan/plan_int.h"

static bool is_datetime(enum sql_type type)
{
    return type == SQL_DATE || type == SQL_TIME || type == SQL_TIMESTAMP || type == SQL_TIMESTAMPTZ;
}

static bool cast_lasts(const struct expr *expr)
{
    enum sql_type from = expr->arguments[0]->type;
    if (from == expr->type)
        return true;
    if (from == SQL_TIMESTAMPTZ || expr->type == SQL_TIMESTAMPTZ)
        return false;
    return from != SQL_TEXT || !is_datetime(expr->type);
}

/* Does nothing with the values but compare and choose. */
static bool only_compares(enum expr_call call)
{
    return call <= CALL_IS_NOT_NULL || call == CALL_COALESCE || call == CALL_NULLIF ||
           call == CALL_GREATEST || call == CALL_LEAST;
}

static bool call_lasts(const struct expr *expr)
{
    static const enum expr_call momentary[] = {
        CALL_NOW, CALL_STATEMENT_TIMESTAMP, CALL_VERSION,       CALL_CURRENT_USER,
        CALL_AGE, CALL_CURRENT_DATABASE,    CALL_CURRENT_SCHEMA};
    for (size_t i = 0; i < sizeof momentary / sizeof *momentary; i++) {
        if (expr->call == momentary[i])
            return false;
    }
    if (only_compares(expr->call) || expr->call == CALL_TIMEZONE)
        return true;
    bool zoned = expr->type == SQL_TIMESTAMPTZ;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        zoned |= expr->arguments[i]->type == SQL_TIMESTAMPTZ;
    return !zoned;
}

bool plan_is_lasting(const struct expr *expr)
{
    ASSERT(expr);
    if (expr->is_volatile || (expr->kind == EXPR_CAST && !cast_lasts(expr)) ||
        (expr->kind == EXPR_CALL && !call_lasts(expr)))
        return false;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!plan_is_lasting(expr->arguments[i]))
            return false;
    }
    return true;
}
