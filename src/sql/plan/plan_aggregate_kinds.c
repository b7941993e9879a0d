/* The kinds of aggregates: how they are called, what they take and what they give. */
#include <string.h>

#include "sql/plan/plan_aggregate_int.h"

/* ---- how they are called ----------------------------------------------------------------------
 */

static uint32_t argument_count(enum aggregate_kind kind)
{
    if (kind == AGGREGATE_STRING || aggregate_is_of_pairs(kind))
        return 2;
    return kind == AGGREGATE_MODE ? 0 : 1;
}

static status_t wrong_count(struct scope *scope, const struct ast_expr *ast,
                            enum aggregate_kind kind)
{
    struct error *error = scope->planner->error;
    status_t status = error_sql(error, "42883", ast->position, "function %s(%s) does not exist",
                                ast->as.call.name, ast->as.call.star ? "*" : "");
    if (kind == AGGREGATE_STRING)
        error_hint(error, "It takes a text and a separator.");
    else if (aggregate_is_of_pairs(kind))
        error_hint(error, "It takes two numbers, %s(y, x).", ast->as.call.name);
    else if (kind == AGGREGATE_MODE)
        error_hint(error, "It is mode() WITHIN GROUP (ORDER BY value).");
    else
        error_hint(error, "An aggregate takes one argument.");
    return status;
}

status_t plan__check_aggregate(struct scope *scope, const struct ast_expr *ast,
                               enum aggregate_kind kind)
{
    struct error *error = scope->planner->error;
    const char *name = ast->as.call.name;
    bool ordered_set = aggregate_is_ordered_set(kind);
    status_t status;
    if (ordered_set && !ast->as.call.within_group) {
        status = error_sql(error, "42809", ast->position,
                           "WITHIN GROUP is required for ordered-set aggregate %s", name);
        error_hint(error, "It is %s(%s) WITHIN GROUP (ORDER BY value).", name,
                   kind == AGGREGATE_MODE ? "" : "0.5");
        return status;
    }
    if (ast->as.call.within_group && !ordered_set)
        return error_sql(error, "42809", ast->position,
                         "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP",
                         name);
    if (ast->as.call.star && kind == AGGREGATE_COUNT)
        return OK;
    if (ast->as.call.star || ast->as.call.count != argument_count(kind))
        return wrong_count(scope, ast, kind);
    if (ordered_set && ast->as.call.order_count != 1)
        return error_sql(error, "42883", ast->position, "%s orders by one value", name);
    return OK;
}

/* ---- types ------------------------------------------------------------------------------------
 */

/* The type of a sum's, or an average's, argument. */
static enum sql_type summed_type(enum sql_type type)
{
    if (type == SQL_UNKNOWN)
        return SQL_INTEGER;
    if (type == SQL_TIME)
        return SQL_INTERVAL;
    return type_is_number(type) || type == SQL_INTERVAL ? type : SQL_UNKNOWN;
}

/* Exact of exact numbers, but for SQLite, which has doubles only. */
static enum sql_type spread_type(enum sql_type type, bool sqlite)
{
    if (!sqlite && (type == SQL_INTEGER || type == SQL_NUMERIC))
        return type;
    return plan__can_coerce(type, SQL_DOUBLE) ? SQL_DOUBLE : SQL_UNKNOWN;
}

/* The type the argument is brought to; SQL_UNKNOWN: there is no such aggregate. */
static enum sql_type argument_type(enum aggregate_kind kind, enum sql_type type, bool sqlite)
{
    switch (kind) {
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        return summed_type(type);
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return type == SQL_UNKNOWN ? SQL_TEXT : type == SQL_BOOLEAN ? SQL_UNKNOWN : type;
    case AGGREGATE_BOOL_AND:
    case AGGREGATE_BOOL_OR:
        return plan__can_coerce(type, SQL_BOOLEAN) ? SQL_BOOLEAN : SQL_UNKNOWN;
    case AGGREGATE_BIT_AND:
    case AGGREGATE_BIT_OR:
    case AGGREGATE_BIT_XOR:
        return plan__can_coerce(type, SQL_INTEGER) ? SQL_INTEGER : SQL_UNKNOWN;
    case AGGREGATE_VAR_SAMP:
    case AGGREGATE_VAR_POP:
    case AGGREGATE_STDDEV_SAMP:
    case AGGREGATE_STDDEV_POP:
        return spread_type(type, sqlite);
    case AGGREGATE_STRING:
        return plan__can_coerce(type, SQL_TEXT) ? SQL_TEXT : SQL_UNKNOWN;
    case AGGREGATE_PERCENTILE_CONT:
        if (type == SQL_INTERVAL)
            return type;
        return plan__can_coerce(type, SQL_DOUBLE) ? SQL_DOUBLE : SQL_UNKNOWN;
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT:
    case AGGREGATE_FIRST:
    case AGGREGATE_ANY:
    case AGGREGATE_PERCENTILE_DISC:
    case AGGREGATE_MODE:
        return type == SQL_UNKNOWN ? SQL_TEXT : type;
    default:
        ASSERT(aggregate_is_of_pairs(kind));
        return plan__can_coerce(type, SQL_DOUBLE) ? SQL_DOUBLE : SQL_UNKNOWN;
    }
}

static enum sql_type result_type(enum aggregate_kind kind, enum sql_type argument, bool sqlite)
{
    switch (kind) {
    case AGGREGATE_COUNT:
    case AGGREGATE_REGR_COUNT:
        return SQL_INTEGER;
    case AGGREGATE_AVG:
        if (argument == SQL_NUMERIC || argument == SQL_INTERVAL)
            return argument;
        return argument == SQL_INTEGER && !sqlite ? SQL_NUMERIC : SQL_DOUBLE;
    case AGGREGATE_VAR_SAMP:
    case AGGREGATE_VAR_POP:
    case AGGREGATE_STDDEV_SAMP:
    case AGGREGATE_STDDEV_POP:
        return argument == SQL_DOUBLE ? SQL_DOUBLE : SQL_NUMERIC;
    default:
        return argument;
    }
}

static status_t no_such_aggregate(struct planner *planner, const struct aggregate *aggregate,
                                  const char *name, uint32_t position)
{
    const struct expr *first = aggregate->argument;
    const struct expr *second = aggregate->separator;
    if (second && aggregate_is_ordered_set(aggregate->kind)) {
        first = aggregate->separator;
        second = aggregate->argument;
    }
    error_sql(planner->error, "42883", position, "function %s(%s%s%s) does not exist", name,
              type_name(first->type), second ? ", " : "", second ? type_name(second->type) : "");
    error_hint(planner->error, "No function matches the given name and argument types. You "
                               "might need to add explicit type casts.");
    return ERR_SQL;
}

status_t plan__type_aggregate(struct planner *planner, struct aggregate *aggregate,
                              const char *name, uint32_t position)
{
    bool sqlite = planner->options->sqlite;
    if (plan__lenient_nulls(planner, &aggregate->argument, 1, 1))
        aggregate->argument = plan__cast_implicit(planner, aggregate->argument, SQL_INTEGER);
    enum sql_type type = argument_type(aggregate->kind, aggregate->argument->type, sqlite);
    enum sql_type second = aggregate->kind == AGGREGATE_STRING ? SQL_TEXT : SQL_DOUBLE;
    const struct expr *separator = aggregate->separator;
    if (type == SQL_UNKNOWN || (separator && !plan__can_coerce(separator->type, second)))
        return no_such_aggregate(planner, aggregate, name, position);
    status_t status = plan__coerce(planner, &aggregate->argument, type);
    if (!status && separator)
        status = plan__coerce(planner, &aggregate->separator, second);
    aggregate->type = result_type(aggregate->kind, type, sqlite);
    return status;
}
