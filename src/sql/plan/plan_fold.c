/* A small evaluator for constant folding. It knows comparisons, arithmetic, casts, conditionals and
 * concatenation, and refuses everything that could fail: 1/0, an overflow or a malformed number
 * stays as it is and fails when (and only if) it is run. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

static struct expr *constant(struct planner *planner, const struct expr *at, struct value value)
{
    return plan__constant(planner, value, at->position);
}

static struct expr *boolean(struct planner *planner, const struct expr *at, bool truth)
{
    return constant(planner, at, value_boolean(truth));
}

static bool fold_integers(enum expr_call call, int64_t a, int64_t b, int64_t *out)
{
    switch (call) {
    case CALL_ADD:
        return !__builtin_add_overflow(a, b, out);
    case CALL_SUBTRACT:
        return !__builtin_sub_overflow(a, b, out);
    case CALL_MULTIPLY:
        return !__builtin_mul_overflow(a, b, out);
    case CALL_DIVIDE:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return false;
        *out = a / b;
        return true;
    case CALL_MODULO:
        if (b == 0)
            return false;
        *out = b == -1 ? 0 : a % b;
        return true;
    case CALL_BIT_AND:
        *out = a & b;
        return true;
    case CALL_BIT_OR:
        *out = a | b;
        return true;
    case CALL_BIT_XOR:
        *out = a ^ b;
        return true;
    default:
        return false;
    }
}

/* Only where the result is an ordinary number: overflow to infinity and underflow to zero are for
 * the executor to judge. */
static bool fold_doubles(enum expr_call call, double a, double b, double *out)
{
    switch (call) {
    case CALL_ADD:
        *out = a + b;
        return isfinite(*out);
    case CALL_SUBTRACT:
        *out = a - b;
        return isfinite(*out);
    case CALL_MULTIPLY:
        *out = a * b;
        return isnormal(*out) || a == 0 || b == 0;
    case CALL_DIVIDE:
        if (b == 0)
            return false;
        *out = a / b;
        return isnormal(*out) || (a == 0 && isfinite(b));
    default:
        return false;
    }
}

static bool fold_numerics(enum expr_call call, struct numeric a, struct numeric b,
                          struct numeric *out)
{
    switch (call) {
    case CALL_ADD:
        return numeric_add(a, b, out);
    case CALL_SUBTRACT:
        return numeric_subtract(a, b, out);
    case CALL_MULTIPLY:
        return numeric_multiply(a, b, out);
    case CALL_DIVIDE:
        return numeric_coefficient(b) != 0 && numeric_divide(a, b, out);
    case CALL_MODULO:
        return numeric_coefficient(b) != 0 && numeric_modulo(a, b, out);
    default:
        return false;
    }
}

static struct expr *fold_negate(struct planner *planner, const struct expr *expr,
                                const struct value *value)
{
    struct value out = *value;
    if (value->type == SQL_NUMERIC)
        out.as.numeric = numeric_negate(value->as.numeric);
    else if (type_storage(value->type) == SQL_DOUBLE)
        out.as.real = -value->as.real;
    else if (value->type == SQL_INTEGER && value->as.integer != INT64_MIN)
        out.as.integer = -value->as.integer;
    else
        return NULL;
    return constant(planner, expr, out);
}

static struct expr *fold_concat(struct planner *planner, const struct expr *expr)
{
    struct slice a = expr->arguments[0]->constant.as.text;
    struct slice b = expr->arguments[1]->constant.as.text;
    uint8_t *text = arena_alloc(planner->arena, a.size + b.size);
    if (a.size > 0)
        memcpy(text, a.data, a.size);
    if (b.size > 0)
        memcpy(text + a.size, b.data, b.size);
    return constant(planner, expr, value_text(slice_make(text, a.size + b.size)));
}

/* A strict call whose arguments are all constants, none of them NULL. */
static struct expr *fold_values(struct planner *planner, const struct expr *expr)
{
    const struct value *a = &expr->arguments[0]->constant;
    const struct value *b = expr->argument_count > 1 ? &expr->arguments[1]->constant : a;
    if (plan__is_comparison(expr->call))
        return boolean(planner, expr, expr_order_holds(expr->call, value_compare(a, b)));
    if (expr->call == CALL_NOT)
        return boolean(planner, expr, !a->as.boolean);
    if (expr->call == CALL_CONCAT && a->type == SQL_TEXT)
        return fold_concat(planner, expr);
    if (expr->call == CALL_NEGATE)
        return fold_negate(planner, expr, a);
    if (expr->argument_count != 2 || a->type != b->type)
        return NULL;
    struct value out = {.type = a->type};
    if (a->type == SQL_NUMERIC && expr->type == SQL_NUMERIC &&
        fold_numerics(expr->call, a->as.numeric, b->as.numeric, &out.as.numeric))
        return constant(planner, expr, out);
    if (a->type == SQL_INTEGER && expr->type == SQL_INTEGER &&
        fold_integers(expr->call, a->as.integer, b->as.integer, &out.as.integer))
        return constant(planner, expr, out);
    if (a->type == SQL_DOUBLE && expr->type == SQL_DOUBLE &&
        fold_doubles(expr->call, a->as.real, b->as.real, &out.as.real))
        return constant(planner, expr, out);
    return NULL;
}

/* Calls that look at NULL themselves, of constants. */
static struct expr *fold_special(struct planner *planner, const struct expr *expr)
{
    const struct value *a = &expr->arguments[0]->constant;
    switch (expr->call) {
    case CALL_IS_NULL:
        return boolean(planner, expr, a->null);
    case CALL_IS_NOT_NULL:
        return boolean(planner, expr, !a->null);
    case CALL_IS_TRUE:
        return boolean(planner, expr, !a->null && a->as.boolean);
    case CALL_IS_NOT_TRUE:
        return boolean(planner, expr, a->null || !a->as.boolean);
    case CALL_IS_FALSE:
        return boolean(planner, expr, !a->null && !a->as.boolean);
    case CALL_IS_NOT_FALSE:
        return boolean(planner, expr, a->null || a->as.boolean);
    case CALL_IS_DISTINCT:
    case CALL_IS_NOT_DISTINCT: {
        const struct value *b = &expr->arguments[1]->constant;
        bool distinct = a->null != b->null || (!a->null && value_compare(a, b) != 0);
        return boolean(planner, expr, distinct == (expr->call == CALL_IS_DISTINCT));
    }
    default:
        return NULL;
    }
}

static struct expr *fold_cast(struct planner *planner, const struct expr *expr)
{
    struct error ignored;
    struct value out;
    const struct value *value = &expr->arguments[0]->constant;
    struct type_spec spec = {.kind = expr->type, .length_max = expr->cast_limit};
    bool asked = false; /* for the session's clock or zone: those of the run count */
    const struct clock clock = {.was_asked = &asked};
    if (value_cast_at(value, expr->type, &clock, planner->arena, 0, &out, &ignored) || asked ||
        value_fit(&out, spec, 0, &ignored))
        return NULL;
    return constant(planner, expr, out);
}

static struct expr *fold_in(struct planner *planner, const struct expr *expr)
{
    const struct value *operand = &expr->arguments[0]->constant;
    bool unknown = operand->null;
    for (uint32_t i = 1; i < expr->argument_count && !operand->null; i++) {
        const struct value *item = &expr->arguments[i]->constant;
        if (item->null)
            unknown = true;
        else if (value_compare(operand, item) == 0)
            return boolean(planner, expr, true);
    }
    return unknown ? constant(planner, expr, value_null(SQL_BOOLEAN))
                   : boolean(planner, expr, false);
}

struct expr *plan__fold(struct planner *planner, const struct expr *expr)
{
    ASSERT(expr->argument_count > 0);
    bool constants = true;
    bool null = false;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        const struct expr *argument = expr->arguments[i];
        bool is_constant = plan__is_constant(argument);
        constants &= is_constant;
        null |= is_constant && argument->constant.null;
    }
    if (null && expr_is_strict(expr))
        return constant(planner, expr, value_null(expr->type));
    if (!constants)
        return NULL;
    if (expr->kind == EXPR_CAST)
        return fold_cast(planner, expr);
    if (expr->kind == EXPR_IN)
        return fold_in(planner, expr);
    if (expr->kind != EXPR_CALL)
        return NULL;
    return expr_is_strict(expr) ? fold_values(planner, expr) : fold_special(planner, expr);
}
