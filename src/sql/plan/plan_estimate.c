/* Guesses: how many rows there are, how many a condition lets through, what a sort costs.
 *
 * There are no statistics of values yet: an equality is taken to let through one row in a hundred,
 * a bound one in five. */
#include <math.h>

#include "sql/plan/plan_int.h"

double plan__table_rows(struct planner *planner, const struct table *table)
{
    if (!planner->options->table_rows)
        return 1000;
    double rows = planner->options->table_rows(planner->options->table_rows_context, table);
    return rows < 1 ? 1 : rows;
}

double plan__selectivity(const struct expr *condition)
{
    if (plan__is_false_or_null(condition))
        return 0;
    double result = 1;
    switch (condition->kind) {
    case EXPR_AND:
        for (uint32_t i = 0; i < condition->argument_count; i++)
            result *= plan__selectivity(condition->arguments[i]);
        return result;
    case EXPR_OR:
        for (uint32_t i = 0; i < condition->argument_count; i++)
            result *= 1 - plan__selectivity(condition->arguments[i]);
        return 1 - result;
    case EXPR_IN:
        return fmin(0.5, 0.01 * (condition->argument_count - 1));
    case EXPR_CALL:
        switch (condition->call) {
        case CALL_EQ:
        case CALL_IS_NULL:
        case CALL_IS_NOT_DISTINCT:
            return 0.01;
        case CALL_NE:
        case CALL_IS_NOT_NULL:
        case CALL_IS_DISTINCT:
            return 0.99;
        case CALL_LT:
        case CALL_LE:
        case CALL_GT:
        case CALL_GE:
            return 0.2;
        case CALL_LIKE:
        case CALL_ILIKE:
        case CALL_STARTS_WITH:
            return 0.05;
        default:
            return 0.5;
        }
    default:
        return 0.5;
    }
}

double plan__sort_cost(double rows, double limit)
{
    double depth = limit > 0 ? fmin(rows, limit) : rows;
    return rows * 0.2 * log2(2 + depth);
}
