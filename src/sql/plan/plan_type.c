/* Types of expressions, as PostgreSQL gives them.
 *
 * A quoted literal, NULL and an untyped parameter are SQL_UNKNOWN until they meet something that
 * has a type; then they become of that type (a literal is read as it, an error points at the
 * literal). Numbers become wider where the other side is: integer, numeric, double precision; so do
 * dates become timestamps. Nothing else is implicit: text and numbers never mix without a cast. */
#include <string.h>

#include "sql/plan/plan_char_int.h"

bool plan__can_coerce(enum sql_type from, enum sql_type to)
{
    if (from == to || from == SQL_UNKNOWN)
        return true;
    switch (from) {
    case SQL_INTEGER:
        return to == SQL_NUMERIC || to == SQL_REAL || to == SQL_DOUBLE;
    case SQL_NUMERIC:
        return to == SQL_REAL || to == SQL_DOUBLE;
    case SQL_REAL:
        return to == SQL_DOUBLE;
    case SQL_DATE:
        return to == SQL_TIMESTAMP || to == SQL_TIMESTAMPTZ;
    case SQL_TIMESTAMP:
        return to == SQL_TIMESTAMPTZ;
    case SQL_TIME:
        return to == SQL_INTERVAL;
    default:
        return false;
    }
}

/* The type that two meet in; SQL_UNKNOWN: none, or neither is known. A real and an exact number
 * meet in a double, which has more of both. */
static enum sql_type common_type(enum sql_type a, enum sql_type b)
{
    bool real_and_exact = (a == SQL_REAL && (b == SQL_INTEGER || b == SQL_NUMERIC)) ||
                          (b == SQL_REAL && (a == SQL_INTEGER || a == SQL_NUMERIC));
    if (real_and_exact)
        return SQL_DOUBLE;
    return plan__can_coerce(a, b) ? b : plan__can_coerce(b, a) ? a : SQL_UNKNOWN;
}

/* What a value may become by being put into a column: besides what it becomes anyway, any other
 * number, a part of a timestamp, and text. */
static bool can_assign(enum sql_type from, enum sql_type to)
{
    if (plan__can_coerce(from, to) || to == SQL_TEXT)
        return true;
    bool numbers = type_is_number(from) && type_is_number(to);
    bool times = from >= SQL_DATE && from <= SQL_INTERVAL && to >= SQL_DATE && to <= SQL_INTERVAL;
    return numbers || (times && type_can_cast(from, to));
}

static struct expr *cast_node(struct planner *planner, struct expr *operand, enum sql_type type,
                              uint32_t position)
{
    struct expr *expr = plan__node(planner, EXPR_CAST, type, position);
    expr->arguments = arena_alloc(planner->arena, sizeof *expr->arguments);
    expr->arguments[0] = operand;
    expr->argument_count = 1;
    expr->is_volatile = operand->is_volatile;
    return expr;
}

struct expr *plan__cast_implicit(struct planner *planner, struct expr *operand, enum sql_type type)
{
    struct expr *expr = cast_node(planner, operand, type, operand->position);
    expr->is_implicit = true;
    return expr;
}

/* A literal or NULL that had no type yet. A copy: the literal may stand in two places. */
static status_t type_literal(struct planner *planner, struct expr **expr, enum sql_type type)
{
    struct expr *old = *expr;
    if (!old->constant.null)
        return plan__literal(planner, old, type, expr);
    *expr = plan__constant(planner, value_null(type), old->position);
    return OK;
}

/* The first use that has a type decides; later uses take it from there. */
static void type_parameter(struct planner *planner, struct expr *expr, enum sql_type type)
{
    ASSERT(expr->index < planner->parameter_count);
    if (planner->parameter_types[expr->index] == SQL_UNKNOWN)
        planner->parameter_types[expr->index] = type;
    expr->type = planner->parameter_types[expr->index];
}

status_t plan__coerce(struct planner *planner, struct expr **expr, enum sql_type type)
{
    ASSERT(type != SQL_UNKNOWN);
    if ((*expr)->type == type)
        return OK;
    if ((*expr)->type == SQL_UNKNOWN && (*expr)->kind == EXPR_PARAMETER)
        type_parameter(planner, *expr, type);
    else if ((*expr)->type == SQL_UNKNOWN && (*expr)->kind == EXPR_CONSTANT)
        return type_literal(planner, expr, type);
    if ((*expr)->type == type)
        return OK;
    if (!plan__can_coerce((*expr)->type, type))
        return error_sql(planner->error, "42P08", (*expr)->position,
                         "inconsistent types deduced for parameter $%u: %s versus %s",
                         (*expr)->index + 1, type_name((*expr)->type), type_name(type));
    *expr = plan__cast_implicit(planner, *expr, type);
    return OK;
}

status_t plan__settle(struct planner *planner, struct expr **expr)
{
    return (*expr)->type == SQL_UNKNOWN ? plan__coerce(planner, expr, SQL_TEXT) : OK;
}

status_t plan__unify(struct planner *planner, const char *what, struct expr **items, uint32_t count,
                     uint32_t stride, const struct expr *first, enum sql_type *type,
                     uint32_t *length)
{
    enum sql_type common = SQL_UNKNOWN;
    for (uint32_t i = 0; i < count * stride; i += stride) {
        enum sql_type next = items[i]->type;
        enum sql_type both = plan__can_coerce(common, next)   ? next
                             : plan__can_coerce(next, common) ? common
                                                              : SQL_UNKNOWN;
        if (both == SQL_UNKNOWN && next != common)
            return error_sql(planner->error, "42804", items[i]->position,
                             "%s types %s and %s cannot be matched", what, type_name(common),
                             type_name(next));
        common = both;
    }
    if (common == SQL_UNKNOWN)
        common = plan__lenient_nulls(planner, items, count, stride) ? SQL_INTEGER : SQL_TEXT;
    *length = common == SQL_TEXT ? plan__char_unify(planner, items, count, stride, first) : 0;
    for (uint32_t i = 0; i < count * stride; i += stride) {
        status_t status = plan__coerce(planner, &items[i], common);
        if (status)
            return status;
    }
    *type = common;
    return OK;
}

status_t plan__require(struct planner *planner, struct expr **expr, enum sql_type type,
                       const char *clause)
{
    if (!plan__can_coerce((*expr)->type, type))
        return error_sql(planner->error, "42804", (*expr)->position,
                         "argument of %s must be type %s, not type %s", clause, type_name(type),
                         type_name((*expr)->type));
    return plan__coerce(planner, expr, type);
}

/* ---- operators --------------------------------------------------------------------------------
 */

static status_t no_such_operator(struct planner *planner, const char *text, const struct expr *left,
                                 const struct expr *right, uint32_t position)
{
    status_t status;
    if (right)
        status = error_sql(planner->error, "42883", position, "operator does not exist: %s %s %s",
                           type_name(left->type), text, type_name(right->type));
    else
        status = error_sql(planner->error, "42883", position, "operator does not exist: %s %s",
                           text, type_name(left->type));
    error_hint(planner->error,
               "No operator matches the given name and argument type%s. You might "
               "need to add %s.",
               right ? "s" : "", right ? "explicit type casts" : "an explicit type cast");
    return status;
}

enum operator_class { CLASS_COMPARE, CLASS_NUMBER, CLASS_DOUBLE, CLASS_BITS, CLASS_TEXT };

static enum operator_class class_of(enum expr_call call)
{
    if (call <= CALL_IS_NOT_DISTINCT)
        return CLASS_COMPARE;
    switch (call) {
    case CALL_ADD:
    case CALL_SUBTRACT:
    case CALL_MULTIPLY:
    case CALL_DIVIDE:
    case CALL_MODULO:
    case CALL_NEGATE:
        return CLASS_NUMBER;
    case CALL_POWER:
        return CLASS_DOUBLE;
    case CALL_LIKE:
    case CALL_ILIKE:
    case CALL_MATCH:
    case CALL_IMATCH:
    case CALL_SIMILAR:
    case CALL_CONCAT:
        return CLASS_TEXT;
    default:
        return CLASS_BITS;
    }
}

static bool is_null_literal(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT && expr->constant.null;
}

/* The type both operands are brought to; SQL_UNKNOWN: there is no such operator. `right` is `left`
 * for one with a single operand. */
static enum sql_type operand_type(enum expr_call call, const struct expr *left,
                                  const struct expr *right)
{
    enum sql_type a = left->type;
    enum sql_type b = right->type;
    enum sql_type wide = common_type(a, b);
    switch (class_of(call)) {
    case CLASS_COMPARE:
        return a == SQL_UNKNOWN && b == SQL_UNKNOWN ? SQL_TEXT : wide;
    case CLASS_NUMBER:
        /* PostgreSQL finds NULL + NULL ambiguous; here it is an integer. */
        if (wide == SQL_UNKNOWN && is_null_literal(left) && is_null_literal(right))
            return SQL_INTEGER;
        return type_is_number(wide) ? wide : SQL_UNKNOWN;
    case CLASS_DOUBLE:
        if (wide == SQL_NUMERIC)
            return SQL_NUMERIC;
        return plan__can_coerce(a, SQL_DOUBLE) && plan__can_coerce(b, SQL_DOUBLE) ? SQL_DOUBLE
                                                                                  : SQL_UNKNOWN;
    case CLASS_BITS:
        return plan__can_coerce(a, SQL_INTEGER) && plan__can_coerce(b, SQL_INTEGER) ? SQL_INTEGER
                                                                                    : SQL_UNKNOWN;
    case CLASS_TEXT:
        if (call == CALL_CONCAT && wide == SQL_BYTEA)
            return SQL_BYTEA;
        return plan__can_coerce(a, SQL_TEXT) && plan__can_coerce(b, SQL_TEXT) ? SQL_TEXT
                                                                              : SQL_UNKNOWN;
    }
    UNREACHABLE();
}

/* text || anything: the other side is cast, as PostgreSQL's anynonarray variants do. */
static status_t concat_operands(struct planner *planner, struct expr **left, struct expr **right)
{
    bool left_text = plan__can_coerce((*left)->type, SQL_TEXT);
    bool right_text = plan__can_coerce((*right)->type, SQL_TEXT);
    if (left_text == right_text) /* nothing to cast, or no text at all */
        return OK;
    bool bytes = common_type((*left)->type, (*right)->type) == SQL_BYTEA;
    if (bytes)
        return OK;
    struct expr **odd = left_text ? right : left;
    return plan__type_cast(planner, *odd, (struct type_spec){.kind = SQL_TEXT}, (*odd)->position,
                           odd);
}

_Static_assert(CALL_ILIKE - CALL_MATCH == 4, "the calls that match patterns stand together");

static enum sql_type result_type(enum expr_call call, enum sql_type operands)
{
    bool is_boolean = call <= CALL_IS_NOT_DISTINCT || (call >= CALL_MATCH && call <= CALL_ILIKE);
    return is_boolean ? SQL_BOOLEAN : operands;
}

/* A CHAR(n) that is matched by a pattern has its blanks. */
static void char_operands(struct planner *planner, enum expr_call call, struct expr **left,
                          struct expr **right)
{
    if (class_of(call) == CLASS_COMPARE)
        plan__char_compared(planner, left, right);
    else if (call >= CALL_MATCH && call <= CALL_ILIKE)
        plan__char_to_shown(planner, left);
    plan__char_to_text(planner, left);
    plan__char_to_text(planner, right);
}

status_t plan__type_operator(struct planner *planner, enum expr_call call, const char *text,
                             struct expr *left, struct expr *right, uint32_t position,
                             struct expr **out)
{
    ASSERT(left && text);
    status_t status = OK;
    if (call == CALL_CONCAT && (status = concat_operands(planner, &left, &right)))
        return status;
    if (planner->options->sqlite && right &&
        (status = plan__lenient_comparison(planner, call, &left, &right)))
        return status;
    if (right && left->type != SQL_BYTEA && right->type != SQL_BYTEA)
        char_operands(planner, call, &left, &right);
    bool known;
    bool distinct = call == CALL_IS_DISTINCT || call == CALL_IS_NOT_DISTINCT;
    status = plan__datetime_operator(planner, call, text, left, right, position, &known, out);
    if (status || known)
        return status;
    enum sql_type type = operand_type(call, left, right ? right : left);
    if (type == SQL_UNKNOWN && left->type == SQL_UNKNOWN &&
        (!right || right->type == SQL_UNKNOWN)) {
        status = right ? error_sql(planner->error, "42725", position,
                                   "operator is not unique: unknown %s unknown", text)
                       : error_sql(planner->error, "42725", position,
                                   "operator is not unique: %s unknown", text);
        error_hint(planner->error, "Could not choose a best candidate operator. You might need to "
                                   "add explicit type casts.");
        return status;
    }
    if (type == SQL_UNKNOWN)
        return no_such_operator(planner, distinct ? "=" : text, left, right, position);
    if ((status = plan__coerce(planner, &left, type)))
        return status;
    if (right && (status = plan__coerce(planner, &right, type)))
        return status;
    enum sql_type result = result_type(call, type);
    *out = right ? plan__call2(planner, call, result, position, left, right)
                 : plan__call1(planner, call, result, position, left);
    if (planner->options->sqlite && (call == CALL_DIVIDE || call == CALL_MODULO))
        return plan__lenient_division(planner, out);
    return OK;
}

/* ---- casts ------------------------------------------------------------------------------------
 */

struct type_spec plan_column_type(struct type_spec declared, bool sqlite)
{
    if (sqlite && (declared.kind == SQL_NUMERIC || declared.kind == SQL_REAL))
        return (struct type_spec){.kind = SQL_DOUBLE};
    return declared;
}

/* A number or a time as one without the limits it was declared with: a cast goes on having them. */
static struct expr *undeclared(struct planner *planner, struct expr *expr, uint32_t position)
{
    ASSERT(expr->type != SQL_TEXT);
    if (plan__declared_length(expr) == 0)
        return expr;
    if (expr->kind == EXPR_CAST)
        return cast_node(planner, expr, expr->type, position);
    ASSERT(expr->kind == EXPR_COLUMN);
    struct expr *copy = arena_alloc(planner->arena, sizeof *copy);
    *copy = *expr;
    copy->cast_limit = 0;
    return copy;
}

status_t plan__type_cast(struct planner *planner, struct expr *operand, struct type_spec spec,
                         uint32_t position, struct expr **out)
{
    spec = plan_column_type(spec, planner->options->sqlite);
    if (spec.kind == SQL_TEXT && (spec.length_max & TYPE_LENGTH_CHAR) &&
        plan__text_length(operand) == spec.length_max) {
        *out = operand;
        return OK;
    }
    if (spec.kind == SQL_BYTEA)
        plan__char_to_shown(planner, &operand);
    plan__char_to_text(planner, &operand);
    if (operand->type == SQL_UNKNOWN) {
        status_t status = plan__coerce(planner, &operand, spec.kind);
        if (status)
            return status;
    }
    if (!type_can_cast(operand->type, spec.kind))
        return error_sql(planner->error, "42846", position, "cannot cast type %s to %s",
                         type_name(operand->type), type_name(spec.kind));
    if (planner->options->sqlite && operand->type == SQL_DOUBLE && spec.kind == SQL_INTEGER) {
        operand = plan__call1(planner, CALL_TRUNC, SQL_DOUBLE, position, operand);
        operand->name = "trunc";
    }
    struct expr *expr = operand;
    if (operand->type != spec.kind || (spec.kind != SQL_TEXT && spec.length_max > 0)) {
        expr = cast_node(planner, operand, spec.kind, position);
        expr->cast_limit = spec.kind == SQL_TEXT ? 0 : spec.length_max;
    }
    if (spec.kind != SQL_TEXT && spec.length_max == 0)
        expr = undeclared(planner, expr, position);
    if (spec.kind == SQL_TEXT && !type_spec_limits(spec))
        expr = plan__text_declared(planner, expr, spec.length_max);
    else if (spec.kind == SQL_TEXT) {
        /* An explicit cast to varchar(n) cuts. */
        int64_t characters = spec.length_max & ~TYPE_LENGTH_CHAR;
        struct expr *length = plan__constant(planner, value_integer(characters), position);
        expr = plan__call2(planner, CALL_LEFT, SQL_TEXT, position, expr, length);
        expr->name = "left";
        if (spec.length_max & TYPE_LENGTH_CHAR) {
            expr = plan__call1(planner, CALL_RTRIM, SQL_TEXT, position, expr);
            expr->name = "rtrim";
        }
        expr->cast_limit = spec.length_max;
    }
    *out = expr;
    return OK;
}

status_t plan__assign(struct planner *planner, struct expr **expr, const struct column *column)
{
    enum sql_type from = (*expr)->type;
    enum sql_type to = column->type.kind;
    plan__char_to_text(planner, expr);
    if (plan__can_coerce(from, to)) {
        status_t status = plan__coerce(planner, expr, to);
        if (status && planner->error && planner->error->detail[0] == '\0')
            error_detail(planner->error, "The value is for column \"%s\".", column->name);
        return status;
    }
    if (can_assign(from, to)) {
        *expr = cast_node(planner, *expr, to, (*expr)->position);
        return OK;
    }
    char declared[64];
    type_spec_name(column->type, declared, sizeof declared);
    status_t status = error_sql(planner->error, "42804", (*expr)->position,
                                "column \"%s\" is of type %s but expression is of type %s",
                                column->name, declared, type_name(from));
    error_hint(planner->error, "You will need to rewrite or cast the expression.");
    return status;
}
