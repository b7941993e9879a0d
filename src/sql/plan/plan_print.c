/* Expressions as SQL text with as few parentheses as PostgreSQL's precedences allow. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

/* PostgreSQL's table of operator precedence, loosest first. */
enum precedence {
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_IS,
    LEVEL_COMPARE,
    LEVEL_LIKE,  /* LIKE, IN */
    LEVEL_OTHER, /* || & | # << >> */
    LEVEL_ADD,
    LEVEL_MULTIPLY,
    LEVEL_POWER,
    LEVEL_SIGN,
    LEVEL_PRIMARY,
};

static const char *const operator_texts[CALL_COUNT_] = {
    [CALL_EQ] = "=",
    [CALL_NE] = "<>",
    [CALL_LT] = "<",
    [CALL_LE] = "<=",
    [CALL_GT] = ">",
    [CALL_GE] = ">=",
    [CALL_IS_DISTINCT] = "IS DISTINCT FROM",
    [CALL_IS_NOT_DISTINCT] = "IS NOT DISTINCT FROM",
    [CALL_LIKE] = "LIKE",
    [CALL_ILIKE] = "ILIKE",
    [CALL_MATCH] = "~",
    [CALL_IMATCH] = "~*",
    [CALL_SIMILAR] = "SIMILAR TO",
    [CALL_ADD] = "+",
    [CALL_SUBTRACT] = "-",
    [CALL_MULTIPLY] = "*",
    [CALL_DIVIDE] = "/",
    [CALL_MODULO] = "%",
    [CALL_POWER] = "^",
    [CALL_BIT_AND] = "&",
    [CALL_BIT_OR] = "|",
    [CALL_BIT_XOR] = "#",
    [CALL_SHIFT_LEFT] = "<<",
    [CALL_SHIFT_RIGHT] = ">>",
    [CALL_CONCAT] = "||",
};

/* Written behind their argument. */
static const char *const suffix_texts[CALL_COUNT_] = {
    [CALL_IS_NULL] = "IS NULL",   [CALL_IS_NOT_NULL] = "IS NOT NULL",
    [CALL_IS_TRUE] = "IS TRUE",   [CALL_IS_NOT_TRUE] = "IS NOT TRUE",
    [CALL_IS_FALSE] = "IS FALSE", [CALL_IS_NOT_FALSE] = "IS NOT FALSE",
};

const char *plan__operator_text(enum expr_call call)
{
    ASSERT(call < CALL_COUNT_);
    return operator_texts[call];
}

static enum precedence call_level(enum expr_call call)
{
    switch (call) {
    case CALL_NOT:
        return LEVEL_NOT;
    case CALL_IS_NULL:
    case CALL_IS_NOT_NULL:
    case CALL_IS_TRUE:
    case CALL_IS_NOT_TRUE:
    case CALL_IS_FALSE:
    case CALL_IS_NOT_FALSE:
    case CALL_IS_DISTINCT:
    case CALL_IS_NOT_DISTINCT:
        return LEVEL_IS;
    case CALL_EQ:
    case CALL_NE:
    case CALL_LT:
    case CALL_LE:
    case CALL_GT:
    case CALL_GE:
        return LEVEL_COMPARE;
    case CALL_LIKE:
    case CALL_ILIKE:
    case CALL_SIMILAR:
        return LEVEL_LIKE;
    case CALL_MATCH:
    case CALL_IMATCH:
        return LEVEL_OTHER;
    case CALL_CONCAT:
    case CALL_BIT_AND:
    case CALL_BIT_OR:
    case CALL_BIT_XOR:
    case CALL_SHIFT_LEFT:
    case CALL_SHIFT_RIGHT:
        return LEVEL_OTHER;
    case CALL_ADD:
    case CALL_SUBTRACT:
        return LEVEL_ADD;
    case CALL_MULTIPLY:
    case CALL_DIVIDE:
    case CALL_MODULO:
        return LEVEL_MULTIPLY;
    case CALL_POWER:
        return LEVEL_POWER;
    case CALL_NEGATE:
    case CALL_BIT_NOT:
        return LEVEL_SIGN;
    default:
        return LEVEL_PRIMARY;
    }
}

static bool is_negative(const struct value *value)
{
    if (value->null)
        return false;
    return (value->type == SQL_INTEGER && value->as.integer < 0) ||
           (value->type == SQL_NUMERIC && numeric_coefficient(value->as.numeric) < 0) ||
           (type_storage(value->type) == SQL_DOUBLE && signbit(value->as.real));
}

static enum precedence level_of(const struct expr *expr)
{
    switch (expr->kind) {
    case EXPR_AND:
        return LEVEL_AND;
    case EXPR_OR:
        return LEVEL_OR;
    case EXPR_IN:
        return LEVEL_LIKE;
    case EXPR_SUBQUERY:
        return expr->subplan->operand_count > 0 ? LEVEL_LIKE : LEVEL_PRIMARY;
    case EXPR_CALL:
        return call_level(expr->call);
    case EXPR_CONSTANT:
        return is_negative(&expr->constant) ? LEVEL_SIGN : LEVEL_PRIMARY;
    default:
        return LEVEL_PRIMARY;
    }
}

static void print(const struct expr *expr, enum precedence least, struct buffer *out);
static void print_subquery(const struct expr *expr, struct buffer *out);

static void print_list(struct expr **items, uint32_t count, enum precedence least,
                       const char *separator, struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_string(out, separator);
        print(items[i], least, out);
    }
}

static void print_text(struct slice text, struct buffer *out)
{
    buffer_append_byte(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'')
            buffer_append_byte(out, '\'');
        buffer_append_byte(out, text.data[i]);
    }
    buffer_append_byte(out, '\'');
}

/* A double always looks like one: 5 is written 5.0. */
static void print_double(const struct value *value, struct buffer *out)
{
    if (!isfinite(value->as.real)) {
        buffer_append_string(out, "CAST('");
        value_format(value, out);
        buffer_append_string(out, "' AS double precision)");
        return;
    }
    size_t start = out->size;
    value_format(value, out);
    for (size_t i = start; i < out->size; i++) {
        if (strchr(".e", out->data[i]))
            return;
    }
    buffer_append_string(out, ".0");
}

static void print_cast_type(const struct expr *expr, struct buffer *out)
{
    char name[64];
    type_spec_name((struct type_spec){.kind = expr->type, .length_max = expr->cast_limit}, name,
                   sizeof name);
    buffer_printf(out, " AS %s)", name);
}

/* Of a type that has no literal of its own. */
static void print_typed(const struct value *value, struct buffer *out)
{
    buffer_append_byte(out, '\'');
    value_format(value, out);
    buffer_printf(out, "'::%s", type_name(value->type));
}

static void print_constant(const struct value *value, struct buffer *out)
{
    if (value->null)
        buffer_append_string(out, "NULL");
    else if (value->type == SQL_BOOLEAN)
        buffer_append_string(out, value->as.boolean ? "true" : "false");
    else if (value->type == SQL_TEXT)
        print_text(value->as.text, out);
    else if (type_storage(value->type) == SQL_DOUBLE)
        print_double(value, out);
    else if (value->type == SQL_INTEGER || value->type == SQL_NUMERIC)
        value_format(value, out);
    else
        print_typed(value, out);
}

static void print_call(const struct expr *expr, struct buffer *out)
{
    enum precedence level = call_level(expr->call);
    ASSERT(expr->argument_count > 0 || level == LEVEL_PRIMARY);
    if (suffix_texts[expr->call]) {
        print(expr->arguments[0], level + 1, out);
        buffer_printf(out, " %s", suffix_texts[expr->call]);
    } else if (level == LEVEL_PRIMARY) {
        buffer_printf(out, "%s(", expr->name);
        print_list(expr->arguments, expr->argument_count, LEVEL_OR, ", ", out);
        buffer_append_byte(out, ')');
    } else if (expr->call == CALL_NOT) {
        buffer_append_string(out, "NOT ");
        print(expr->arguments[0], LEVEL_NOT, out);
    } else if (level == LEVEL_SIGN) {
        buffer_append_byte(out, expr->call == CALL_NEGATE ? '-' : '~');
        print(expr->arguments[0], LEVEL_PRIMARY, out);
    } else {
        bool chains = level >= LEVEL_OTHER; /* to the left; comparisons do not chain */
        print(expr->arguments[0], chains ? level : level + 1, out);
        buffer_printf(out, " %s ", operator_texts[expr->call]);
        print(expr->arguments[1], level + 1, out);
        if (expr->argument_count == 3) {
            buffer_append_string(out, " ESCAPE ");
            print(expr->arguments[2], LEVEL_OTHER, out);
        }
    }
}

static void print_case(const struct expr *expr, struct buffer *out)
{
    ASSERT(expr->argument_count % 2 == 1);
    buffer_append_string(out, "CASE");
    for (uint32_t i = 0; i + 1 < expr->argument_count; i += 2) {
        buffer_append_string(out, " WHEN ");
        print(expr->arguments[i], LEVEL_OR, out);
        buffer_append_string(out, " THEN ");
        print(expr->arguments[i + 1], LEVEL_OR, out);
    }
    buffer_append_string(out, " ELSE ");
    print(expr->arguments[expr->argument_count - 1], LEVEL_OR, out);
    buffer_append_string(out, " END");
}

static void print_plain(const struct expr *expr, struct buffer *out)
{
    switch (expr->kind) {
    case EXPR_CONSTANT:
        print_constant(&expr->constant, out);
        return;
    case EXPR_PARAMETER:
        buffer_printf(out, "$%u", expr->index + 1);
        return;
    case EXPR_COLUMN:
        buffer_append_string(out, expr->name);
        return;
    case EXPR_AND:
        print_list(expr->arguments, expr->argument_count, LEVEL_AND, " AND ", out);
        return;
    case EXPR_OR:
        print_list(expr->arguments, expr->argument_count, LEVEL_OR, " OR ", out);
        return;
    case EXPR_CALL:
        print_call(expr, out);
        return;
    case EXPR_CASE:
        print_case(expr, out);
        return;
    case EXPR_CAST:
        buffer_append_string(out, "CAST(");
        print(expr->arguments[0], LEVEL_OR, out);
        print_cast_type(expr, out);
        return;
    case EXPR_OUTER:
        buffer_printf(out, "outer.%s", expr->name ? expr->name : "value");
        return;
    case EXPR_SUBQUERY:
        print_subquery(expr, out);
        return;
    case EXPR_BIND: /* the value comes first, as it is computed first */
        buffer_printf(out, "(operand %u: ", expr->index + 1);
        print(expr->arguments[0], LEVEL_OR, out);
        buffer_append_string(out, "; ");
        print(expr->arguments[1], LEVEL_OR, out);
        buffer_append_byte(out, ')');
        return;
    case EXPR_OPERAND:
        buffer_printf(out, "operand %u", expr->index + 1);
        return;
    case EXPR_IN:
        print(expr->arguments[0], LEVEL_LIKE + 1, out);
        buffer_append_string(out, " IN (");
        print_list(expr->arguments + 1, expr->argument_count - 1, LEVEL_OR, ", ", out);
        buffer_append_byte(out, ')');
        return;
    }
    UNREACHABLE();
}

/* The subquery itself is drawn below the line. */
static void print_subquery(const struct expr *expr, struct buffer *out)
{
    const struct subplan *subplan = expr->subplan;
    if (subplan->operand_count > 0)
        print(expr->arguments[0], LEVEL_LIKE + 1, out);
    switch (subplan->kind) {
    case SUBPLAN_SCALAR:
        break;
    case SUBPLAN_EXISTS:
        buffer_append_string(out, "EXISTS ");
        break;
    case SUBPLAN_IN:
        buffer_append_string(out, " IN ");
        break;
    case SUBPLAN_ANY:
    case SUBPLAN_ALL:
        buffer_printf(out, " %s %s ", plan__operator_text(subplan->comparison),
                      subplan->kind == SUBPLAN_ALL ? "ALL" : "ANY");
        break;
    }
    buffer_printf(out, "(subquery %u)", subplan->number + 1);
    if (subplan->kind == SUBPLAN_SCALAR && subplan->plan && subplan->plan->column_count > 1)
        buffer_printf(out, ".%u", expr->index + 1);
}

/* In parentheses when it binds looser than its surroundings ask for. */
static void print(const struct expr *expr, enum precedence least, struct buffer *out)
{
    ASSERT(expr);
    bool parentheses = level_of(expr) < least;
    if (parentheses)
        buffer_append_byte(out, '(');
    print_plain(expr, out);
    if (parentheses)
        buffer_append_byte(out, ')');
}

void expr_print(const struct expr *expr, struct buffer *out)
{
    print(expr, LEVEL_OR, out);
}

const char *plan__aggregate_name(enum aggregate_kind kind)
{
    static const char *const names[] = {
        [AGGREGATE_COUNT_ROWS] = "count",
        [AGGREGATE_COUNT] = "count",
        [AGGREGATE_SUM] = "sum",
        [AGGREGATE_AVG] = "avg",
        [AGGREGATE_MIN] = "min",
        [AGGREGATE_MAX] = "max",
        [AGGREGATE_FIRST] = "first",
        [AGGREGATE_BOOL_AND] = "bool_and",
        [AGGREGATE_BOOL_OR] = "bool_or",
        [AGGREGATE_BIT_AND] = "bit_and",
        [AGGREGATE_BIT_OR] = "bit_or",
        [AGGREGATE_BIT_XOR] = "bit_xor",
        [AGGREGATE_VAR_SAMP] = "var_samp",
        [AGGREGATE_VAR_POP] = "var_pop",
        [AGGREGATE_STDDEV_SAMP] = "stddev_samp",
        [AGGREGATE_STDDEV_POP] = "stddev_pop",
        [AGGREGATE_STRING] = "string_agg",
        [AGGREGATE_ANY] = "any_value",
        [AGGREGATE_REGR_COUNT] = "regr_count",
        [AGGREGATE_REGR_SXX] = "regr_sxx",
        [AGGREGATE_REGR_SYY] = "regr_syy",
        [AGGREGATE_REGR_SXY] = "regr_sxy",
        [AGGREGATE_REGR_AVGX] = "regr_avgx",
        [AGGREGATE_REGR_AVGY] = "regr_avgy",
        [AGGREGATE_REGR_R2] = "regr_r2",
        [AGGREGATE_REGR_SLOPE] = "regr_slope",
        [AGGREGATE_REGR_INTERCEPT] = "regr_intercept",
        [AGGREGATE_COVAR_POP] = "covar_pop",
        [AGGREGATE_COVAR_SAMP] = "covar_samp",
        [AGGREGATE_CORR] = "corr",
        [AGGREGATE_PERCENTILE_CONT] = "percentile_cont",
        [AGGREGATE_PERCENTILE_DISC] = "percentile_disc",
        [AGGREGATE_MODE] = "mode",
    };
    ASSERT(kind < sizeof names / sizeof *names);
    return names[kind];
}

void plan__print_sort_keys(const struct sort_key *keys, uint32_t count, struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct sort_key *key = &keys[i];
        buffer_append_string(out, i ? ", " : "");
        expr_print(key->expr, out);
        if (key->descending)
            buffer_append_string(out, " DESC");
        if (key->nulls_first != key->descending)
            buffer_append_string(out, key->nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

void plan__print_aggregate(const struct aggregate *aggregate, struct buffer *out)
{
    buffer_printf(out, "%s(%s", plan__aggregate_name(aggregate->kind),
                  aggregate->distinct ? "DISTINCT " : "");
    if (aggregate_is_ordered_set(aggregate->kind)) {
        if (aggregate->separator)
            expr_print(aggregate->separator, out);
        buffer_append_string(out, ") WITHIN GROUP (ORDER BY ");
        expr_print(aggregate->argument, out);
        buffer_append_string(out, aggregate->descending ? " DESC" : "");
    } else if (aggregate->argument) {
        expr_print(aggregate->argument, out);
    } else {
        buffer_append_byte(out, '*');
    }
    if (aggregate->separator && !aggregate_is_ordered_set(aggregate->kind)) {
        buffer_append_string(out, ", ");
        expr_print(aggregate->separator, out);
    }
    if (aggregate->order_count > 0)
        buffer_append_string(out, " ORDER BY ");
    plan__print_sort_keys(aggregate->orders, aggregate->order_count, out);
    buffer_append_byte(out, ')');
    if (aggregate->filter) {
        buffer_append_string(out, " FILTER (WHERE ");
        expr_print(aggregate->filter, out);
        buffer_append_byte(out, ')');
    }
}

static void print_bound(enum frame_place place, const struct expr *offset, struct buffer *out)
{
    static const char *const words[] = {
        [FRAME_FIRST] = "UNBOUNDED PRECEDING", [FRAME_PRECEDING] = " PRECEDING",
        [FRAME_CURRENT] = "CURRENT ROW",       [FRAME_FOLLOWING] = " FOLLOWING",
        [FRAME_LAST] = "UNBOUNDED FOLLOWING",
    };
    if (offset)
        expr_print(offset, out);
    buffer_append_string(out, words[place]);
}

void plan__print_window(const struct plan *plan, const struct window_function *function,
                        struct buffer *out)
{
    static const char *const modes[] = {
        [FRAME_RANGE] = "RANGE", [FRAME_ROWS] = "ROWS", [FRAME_GROUPS] = "GROUPS"};
    static const char *const excludes[] = {[EXCLUDE_NOTHING] = "",
                                           [EXCLUDE_CURRENT] = " EXCLUDE CURRENT ROW",
                                           [EXCLUDE_GROUP] = " EXCLUDE GROUP",
                                           [EXCLUDE_TIES] = " EXCLUDE TIES"};
    const struct window_frame *frame = &function->frame;
    const char *space = "";
    if (function->kind == WINDOW_AGGREGATE) {
        plan__print_aggregate(&function->aggregate, out);
    } else {
        buffer_printf(out, "%s(", function->name);
        print_list((struct expr **)function->arguments, function->argument_count, LEVEL_OR, ", ",
                   out);
        buffer_append_byte(out, ')');
    }
    buffer_append_string(out, " OVER (");
    if (plan->as.window.partition_count > 0) {
        buffer_append_string(out, "PARTITION BY ");
        print_list(plan->as.window.partitions, plan->as.window.partition_count, LEVEL_OR, ", ",
                   out);
        space = " ";
    }
    if (plan->as.window.key_count > 0) {
        buffer_printf(out, "%sORDER BY ", space);
        plan__print_sort_keys(plan->as.window.keys, plan->as.window.key_count, out);
        space = " ";
    }
    if (frame->mode != FRAME_RANGE || frame->start != FRAME_FIRST || frame->end != FRAME_CURRENT ||
        frame->exclude != EXCLUDE_NOTHING) {
        buffer_printf(out, "%s%s BETWEEN ", space, modes[frame->mode]);
        print_bound(frame->start, frame->start_offset, out);
        buffer_append_string(out, " AND ");
        print_bound(frame->end, frame->end_offset, out);
        buffer_append_string(out, excludes[frame->exclude]);
    }
    buffer_append_byte(out, ')');
}
