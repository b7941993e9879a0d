/* Guesses: how many rows there are, how many a condition lets through, what a sort costs.
 *
 * Where statistics of a column are known, a comparison with a constant is looked up in them: the
 * common values have their shares, what is left is spread evenly over the other different values,
 * and, for an order, over the histogram. A comparison with what is not known yet (a parameter)
 * takes the average value. Without statistics an equality is taken to let through one row in a
 * hundred, a bound one in five. Conditions are taken to be independent of each other, but for two
 * bounds of one column. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

static const double EQUAL_GUESS = 0.01;
static const double BOUND_GUESS = 0.2;
static const double BETWEEN_MIN = 0.0001; /* of two bounds that nearly meet */

static const struct table_statistics *table_statistics(struct planner *planner,
                                                       const struct table *table)
{
    const struct plan_options *options = planner->options;
    return options->statistics ? options->statistics(options->statistics_context, table) : NULL;
}

double plan__table_rows(struct planner *planner, const struct table *table)
{
    const struct plan_options *options = planner->options;
    const struct table_statistics *statistics = table_statistics(planner, table);
    if (statistics)
        return fmax(1, statistics->rows);
    if (!options->table_rows)
        return 1000;
    return fmax(1, options->table_rows(options->table_rows_context, table));
}

bool plan__has_statistics(struct planner *planner, const struct table *table)
{
    const struct table_statistics *statistics = table_statistics(planner, table);
    return statistics && statistics->column_count > 0;
}

const struct column_statistics *
plan__column_statistics(struct planner *planner, const struct query *query, const struct expr *expr)
{
    if (expr->kind != EXPR_COLUMN || query->slots[expr->index].relation == NOWHERE)
        return NULL;
    const struct slot *slot = &query->slots[expr->index];
    const struct table *table = query->relations[slot->relation].table;
    const struct table_statistics *statistics = table ? table_statistics(planner, table) : NULL;
    if (!statistics)
        return NULL;
    ASSERT(slot->place < table->column_count);
    uint32_t ordinal = table->columns[slot->place].ordinal;
    if (ordinal >= statistics->column_count || !statistics->columns[ordinal].known)
        return NULL;
    const struct column_statistics *column = &statistics->columns[ordinal];
    return column->distinct > 0 || column->null_fraction > 0 ? column : NULL;
}

static double call_guess(enum expr_call call)
{
    switch (call) {
    case CALL_EQ:
    case CALL_IS_NULL:
    case CALL_IS_NOT_DISTINCT:
        return EQUAL_GUESS;
    case CALL_NE:
    case CALL_IS_NOT_NULL:
    case CALL_IS_DISTINCT:
        return 1 - EQUAL_GUESS;
    case CALL_LT:
    case CALL_LE:
    case CALL_GT:
    case CALL_GE:
        return BOUND_GUESS;
    case CALL_LIKE:
    case CALL_ILIKE:
    case CALL_STARTS_WITH:
    case CALL_MATCH:
    case CALL_IMATCH:
    case CALL_SIMILAR:
        return 0.05;
    default:
        return 0.5;
    }
}

/* ---- one column against one value --------------------------------------------------------------
 */

static double common_sum(const struct column_statistics *column)
{
    double sum = 0;
    for (uint32_t i = 0; i < column->common_count; i++)
        sum += column->common_fraction[i];
    return sum;
}

/* Of all rows, those with neither NULL nor a common value. */
static double other_fraction(const struct column_statistics *column)
{
    return fmax(0, 1 - column->null_fraction - common_sum(column));
}

static bool comparable(const struct value *a, const struct value *b)
{
    bool numbers = type_is_number(a->type) && type_is_number(b->type);
    return !a->null && !b->null && (a->type == b->type || numbers);
}

static double equal_fraction(const struct column_statistics *column, const struct value *value)
{
    double average = (1 - column->null_fraction) / fmax(1, column->distinct);
    if (!value)
        return average;
    for (uint32_t i = 0; i < column->common_count; i++) {
        if (!comparable(&column->common[i], value))
            return average;
        if (value_compare(&column->common[i], value) == 0)
            return column->common_fraction[i];
    }
    double others = column->distinct - column->common_count;
    return others < 1 ? fmin(average, other_fraction(column)) : other_fraction(column) / others;
}

/* Of a number, or of what dates and times count. */
static double as_double(const struct value *value)
{
    switch (type_storage(value->type)) {
    case SQL_INTEGER:
        return (double)value->as.integer;
    case SQL_DOUBLE:
        return value->as.real;
    default:
        ASSERT(value->type == SQL_NUMERIC);
        return numeric_to_double(value->as.numeric);
    }
}

static bool has_distance(enum sql_type type)
{
    return type_is_number(type) || type_storage(type) == SQL_INTEGER;
}

/* The first bytes of a text behind `skip` of them, as a number. */
static double text_place(struct slice text, size_t skip)
{
    double place = 0, unit = 1;
    for (size_t i = skip; i < skip + 6; i++) {
        unit /= 256;
        place += i < text.size ? text.data[i] * unit : 0;
    }
    return place;
}

/* How far a value is on the way from one bound to the next. */
static double part_between(const struct value *from, const struct value *to,
                           const struct value *value)
{
    double low = 0, high = 0, at = 0;
    if (has_distance(from->type)) {
        low = as_double(from);
        high = as_double(to);
        at = as_double(value);
    } else if (from->type == SQL_TEXT && to->type == SQL_TEXT && value->type == SQL_TEXT) {
        struct slice a = from->as.text, b = to->as.text;
        size_t shared = 0;
        while (shared < a.size && shared < b.size && a.data[shared] == b.data[shared])
            shared++;
        low = text_place(a, shared);
        high = text_place(b, shared);
        at = text_place(value->as.text, shared);
    }
    return high > low ? fmin(1, fmax(0, (at - low) / (high - low))) : 0.5;
}

/* Which part of the values that are not common lies below this one. */
static double histogram_below(const struct column_statistics *column, const struct value *value)
{
    uint32_t low = 0, high = column->bound_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (value_compare(&column->bounds[middle], value) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    if (low == column->bound_count)
        return 1;
    const struct value *from = &column->bounds[low - 1], *to = &column->bounds[low];
    double part = part_between(from, to, value);
    return (low - 1 + part) / (column->bound_count - 1);
}

static double bound_fraction(const struct column_statistics *column, enum expr_call call,
                             const struct value *value)
{
    double sum = 0;
    if (!value || (column->bound_count == 0 && column->common_count == 0))
        return BOUND_GUESS;
    if ((column->bound_count && !comparable(&column->bounds[0], value)) ||
        (column->common_count && !comparable(&column->common[0], value)))
        return BOUND_GUESS;
    for (uint32_t i = 0; i < column->common_count; i++) {
        if (expr_order_holds(call, value_compare(&column->common[i], value)))
            sum += column->common_fraction[i];
    }
    double below = column->bound_count ? histogram_below(column, value) : 0.5;
    bool less = call == CALL_LT || call == CALL_LE;
    return sum + other_fraction(column) * (less ? below : 1 - below);
}

static bool begins_with(const struct value *value, struct slice prefix)
{
    return value->type == SQL_TEXT && value->as.text.size >= prefix.size &&
           memcmp(value->as.text.data, prefix.data, prefix.size) == 0;
}

/* The part of the values that begin with a text. Of those that are not common, the mean of what two
 * ways tell: how many bounds begin so, and how far it is between the bounds from the text to the
 * least one above all that begin so. */
static double prefix_fraction(struct planner *planner, const struct column_statistics *column,
                              struct slice prefix)
{
    double sum = 0;
    uint32_t matches = 0;
    if (prefix.size == 0)
        return 1 - column->null_fraction;
    for (uint32_t i = 0; i < column->common_count; i++)
        sum += begins_with(&column->common[i], prefix) ? column->common_fraction[i] : 0;
    if (column->bound_count < 2 || column->bounds[0].type != SQL_TEXT)
        return sum;
    for (uint32_t i = 0; i < column->bound_count; i++)
        matches += begins_with(&column->bounds[i], prefix);
    uint8_t *end = arena_alloc(planner->arena, prefix.size + 1);
    memcpy(end, prefix.data, prefix.size);
    end[prefix.size] = 255; /* no text has such a byte */
    const struct value low = value_text(prefix);
    const struct value high = value_text(slice_make(end, prefix.size + 1));
    double between = histogram_below(column, &high) - histogram_below(column, &low);
    double counted = (double)matches / column->bound_count;
    double part = fmax((between + counted) / 2, 0.1 / column->bound_count);
    return sum + other_fraction(column) * part;
}

/* What a pattern begins with before anything in it is special, if that decides alone: 'abc%'. */
static bool is_prefix_pattern(struct slice pattern, struct slice *prefix)
{
    size_t size = 0;
    while (size < pattern.size && !strchr("%_\\", pattern.data[size]))
        size++;
    *prefix = slice_make(pattern.data, size);
    return size > 0 && size + 1 == pattern.size && pattern.data[size] == '%';
}

enum { TEXTS_MIN = 16 }; /* of fewer bounds a pattern's share is not told */

/* The part of the texts that match a pattern: the common ones, and the bounds for all others. */
static double like_fraction(struct planner *planner, const struct column_statistics *column,
                            enum expr_call call, const struct value *pattern)
{
    bool fold = call == CALL_ILIKE, valid;
    struct slice prefix;
    if (pattern && pattern->type == SQL_TEXT && !fold &&
        is_prefix_pattern(pattern->as.text, &prefix) && column->bound_count != 1)
        return prefix_fraction(planner, column, prefix);
    double sum = 0;
    uint32_t matches = 0;
    if (!pattern || pattern->type != SQL_TEXT ||
        (column->bound_count < TEXTS_MIN && other_fraction(column) > 0.01))
        return call_guess(call);
    for (uint32_t i = 0; i < column->common_count; i++) {
        if (column->common[i].type == SQL_TEXT &&
            like_match(column->common[i].as.text, pattern->as.text, '\\', fold, NULL, &valid))
            sum += column->common_fraction[i];
    }
    for (uint32_t i = 0; i < column->bound_count; i++)
        matches +=
            column->bounds[i].type == SQL_TEXT &&
            like_match(column->bounds[i].as.text, pattern->as.text, '\\', fold, NULL, &valid);
    return sum + other_fraction(column) * (matches + 0.5) / (column->bound_count + 1);
}

/* A regular expression of which no more is looked at than that it may begin with '^abc'. */
static double match_fraction(struct planner *planner, const struct column_statistics *column,
                             struct slice pattern)
{
    size_t size = 1;
    if (pattern.size < 2 || pattern.data[0] != '^')
        return call_guess(CALL_MATCH);
    while (size < pattern.size && !strchr("^$.[]()|*+?{}\\", pattern.data[size]))
        size++;
    /* A special one may say that the one before it need not be there; '|' says anything. */
    bool whole = size == pattern.size;
    size_t kept = whole ? size - 1 : size > 1 ? size - 2 : 0;
    if (kept == 0 || memchr(pattern.data, '|', pattern.size))
        return call_guess(CALL_MATCH);
    double part = prefix_fraction(planner, column, slice_make(pattern.data + 1, kept));
    return whole ? part : part / 2;
}

/* ---- conditions -------------------------------------------------------------------------------
 */

/* The column and the value of a comparison, the column brought to the left. *value is NULL when it
 * is not known. */
static const struct column_statistics *compared(struct planner *planner, const struct query *query,
                                                const struct expr *condition, enum expr_call *call,
                                                const struct value **value)
{
    if (condition->kind != EXPR_CALL || condition->argument_count != 2)
        return NULL;
    const struct expr *left = condition->arguments[0], *right = condition->arguments[1];
    *call = condition->call;
    const struct column_statistics *column = plan__column_statistics(planner, query, left);
    if (!column || plan__has_columns(right)) {
        column = plan__has_columns(left) ? NULL : plan__column_statistics(planner, query, right);
        right = left;
        *call = expr_call_mirrored(condition->call);
    }
    *value = plan__is_constant(right) ? &right->constant : NULL;
    return column;
}

/* The part of the rows for which a condition is neither true nor false: a column in it is NULL. */
static double unknown_fraction(struct planner *planner, const struct query *query,
                               const struct expr *condition)
{
    bool operand = condition->kind == EXPR_IN || expr_is_strict(condition);
    if (condition->kind == EXPR_COLUMN) {
        const struct column_statistics *column = plan__column_statistics(planner, query, condition);
        return column ? column->null_fraction : 0;
    }
    if (!operand || condition->argument_count == 0)
        return 0;
    double part = unknown_fraction(planner, query, condition->arguments[0]);
    return condition->kind == EXPR_IN || condition->argument_count < 2
               ? part
               : fmax(part, unknown_fraction(planner, query, condition->arguments[1]));
}

/* Of a column that is a condition by itself. */
static double boolean_selectivity(struct planner *planner, const struct query *query,
                                  const struct expr *condition)
{
    const struct value yes = value_boolean(true);
    const struct column_statistics *column = plan__column_statistics(planner, query, condition);
    return column ? equal_fraction(column, &yes) : 0.5;
}

static double call_selectivity(struct planner *planner, const struct query *query,
                               const struct expr *condition)
{
    enum expr_call call = condition->call;
    const struct value *value = NULL;
    if (call == CALL_NOT)
        return fmax(0, 1 - unknown_fraction(planner, query, condition->arguments[0]) -
                           plan__selectivity(planner, query, condition->arguments[0]));
    if (call == CALL_IS_TRUE || call == CALL_IS_NOT_FALSE)
        return plan__selectivity(planner, query, condition->arguments[0]);
    if (call == CALL_IS_FALSE || call == CALL_IS_NOT_TRUE)
        return fmax(0, 1 - plan__selectivity(planner, query, condition->arguments[0]));
    if (call == CALL_IS_NULL || call == CALL_IS_NOT_NULL) {
        const struct column_statistics *column =
            plan__column_statistics(planner, query, condition->arguments[0]);
        if (!column)
            return call_guess(call);
        return call == CALL_IS_NULL ? column->null_fraction : 1 - column->null_fraction;
    }
    const struct column_statistics *column = compared(planner, query, condition, &call, &value);
    if (!column)
        return call_guess(condition->call);
    if (value && value->null)
        return 0;
    switch (call) {
    case CALL_EQ:
        return equal_fraction(column, value);
    case CALL_NE:
        return fmax(0, 1 - column->null_fraction - equal_fraction(column, value));
    case CALL_LT:
    case CALL_LE:
    case CALL_GT:
    case CALL_GE:
        return bound_fraction(column, call, value);
    case CALL_LIKE:
    case CALL_ILIKE:
        return condition->arguments[0]->kind == EXPR_COLUMN
                   ? like_fraction(planner, column, call, value)
                   : call_guess(call);
    case CALL_STARTS_WITH:
        return condition->arguments[0]->kind == EXPR_COLUMN && value && value->type == SQL_TEXT
                   ? prefix_fraction(planner, column, value->as.text)
                   : call_guess(call);
    case CALL_MATCH:
        return condition->arguments[0]->kind == EXPR_COLUMN && value && value->type == SQL_TEXT
                   ? match_fraction(planner, column, value->as.text)
                   : call_guess(call);
    default:
        return call_guess(condition->call);
    }
}

static double list_selectivity(struct planner *planner, const struct query *query,
                               const struct expr *condition)
{
    const struct column_statistics *column =
        plan__column_statistics(planner, query, condition->arguments[0]);
    if (!column)
        return fmin(0.5, EQUAL_GUESS * (condition->argument_count - 1));
    double sum = 0;
    for (uint32_t i = 1; i < condition->argument_count; i++) {
        const struct expr *item = condition->arguments[i];
        bool constant = plan__is_constant(item);
        if (!constant || !item->constant.null)
            sum += equal_fraction(column, constant ? &item->constant : NULL);
    }
    return fmin(1, sum);
}

double plan__selectivity(struct planner *planner, const struct query *query,
                         const struct expr *condition)
{
    if (plan__is_false_or_null(condition))
        return 0;
    double result = 1;
    switch (condition->kind) {
    case EXPR_AND: {
        struct exprs all = {.items = condition->arguments, .count = condition->argument_count};
        return plan__selectivity_all(planner, query, &all);
    }
    case EXPR_OR:
        for (uint32_t i = 0; i < condition->argument_count; i++)
            result *= 1 - plan__selectivity(planner, query, condition->arguments[i]);
        return 1 - result;
    case EXPR_COLUMN:
        return boolean_selectivity(planner, query, condition);
    case EXPR_IN:
        return list_selectivity(planner, query, condition);
    case EXPR_CALL:
        return call_selectivity(planner, query, condition);
    default:
        return 0.5;
    }
}

enum { BOUNDS_REACH = 64 }; /* a later bound finds the earlier one among so many conditions */

/* Of a later bound on the same column: what it leaves of what the earlier one let through. 0: there
 * is none before. */
static double interval(struct planner *planner, const struct query *query,
                       const struct exprs *conditions, uint32_t at)
{
    enum expr_call call, other;
    const struct value *value, *other_value;
    const struct column_statistics *column =
        compared(planner, query, conditions->items[at], &call, &value);
    bool less = call == CALL_LT || call == CALL_LE, more = call == CALL_GT || call == CALL_GE;
    if (!column || !value || value->null || !(less || more))
        return 0;
    for (uint32_t i = at < BOUNDS_REACH ? 0 : at - BOUNDS_REACH; i < at; i++) {
        if (compared(planner, query, conditions->items[i], &other, &other_value) != column ||
            !other_value || other_value->null)
            continue;
        bool other_less = other == CALL_LT || other == CALL_LE;
        if (!other_less && other != CALL_GT && other != CALL_GE)
            continue;
        double before = bound_fraction(column, other, other_value);
        if (other_less == less) /* the narrower one counts */
            return fmin(1, fmax(bound_fraction(column, call, value), BETWEEN_MIN) /
                               fmax(before, BETWEEN_MIN));
        double both = before + bound_fraction(column, call, value) - (1 - column->null_fraction);
        return fmax(both, BETWEEN_MIN) / fmax(before, BETWEEN_MIN);
    }
    return 0;
}

double plan__selectivity_all(struct planner *planner, const struct query *query,
                             const struct exprs *conditions)
{
    double result = 1;
    bool knows = planner->options->statistics != NULL;
    for (uint32_t i = 0; i < conditions->count; i++) {
        double part = knows && i > 0 ? interval(planner, query, conditions, i) : 0;
        result *= part > 0 ? part : plan__selectivity(planner, query, conditions->items[i]);
    }
    return result;
}

double plan__group_rows(struct planner *planner, const struct query *query,
                        const struct exprs *groups, double rows)
{
    double product = 1;
    for (uint32_t i = 0; i < groups->count; i++) {
        const struct column_statistics *column =
            plan__column_statistics(planner, query, groups->items[i]);
        if (!column)
            return fmax(1, rows / 10);
        product *= column->distinct + (column->null_fraction > 0);
    }
    return fmax(1, fmin(product, rows));
}

double plan__sort_cost(double rows, double limit)
{
    double depth = limit > 0 ? fmin(rows, limit) : rows;
    return rows * 0.2 * log2(2 + depth);
}
