/* Comparison kernels: =, <>, <, <=, >, >=, IS [NOT] DISTINCT FROM, IS [NOT] NULL/TRUE/FALSE, NOT.
 *
 * The loops over integers and doubles are written once and inlined for each operator with the
 * operator a constant, so that each is a tight loop the compiler can vectorise. */
#include "sql/exec/exec_int.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE bool integer_holds(enum expr_call call, int64_t a, int64_t b)
{
    switch (call) {
    case CALL_EQ:
        return a == b;
    case CALL_NE:
        return a != b;
    case CALL_LT:
        return a < b;
    case CALL_LE:
        return a <= b;
    case CALL_GT:
        return a > b;
    default:
        return a >= b;
    }
}

/* NaN equals itself and is above all numbers. Bitwise operators: no branches. */
INLINE bool double_holds(enum expr_call call, double a, double b)
{
    bool equal = (a == b) | ((a != a) & (b != b));
    bool less = (a < b) | ((b != b) & (a == a));
    switch (call) {
    case CALL_EQ:
        return equal;
    case CALL_NE:
        return !equal;
    case CALL_LT:
        return less;
    case CALL_LE:
        return less | equal;
    case CALL_GT:
        return !(less | equal);
    default:
        return !less;
    }
}

INLINE void integer_loop(enum expr_call call, const struct eval *left, const struct eval *right,
                         const struct batch *in, bool *out)
{
    const int64_t *a = left->result->as.integers;
    const int64_t *b = right->result->as.integers;
    if (in->selection) {
        for (uint32_t i = 0; i < in->selected; i++) {
            uint32_t row = in->selection[i];
            out[row] = integer_holds(call, a[row], b[exec__eval_row(right, row)]);
        }
    } else if (right->constant) {
        int64_t constant = b[0];
        for (uint32_t row = 0; row < in->row_count; row++)
            out[row] = integer_holds(call, a[row], constant);
    } else {
        for (uint32_t row = 0; row < in->row_count; row++)
            out[row] = integer_holds(call, a[row], b[row]);
    }
}

INLINE void double_loop(enum expr_call call, const struct eval *left, const struct eval *right,
                        const struct batch *in, bool *out)
{
    const double *a = left->result->as.reals;
    const double *b = right->result->as.reals;
    if (in->selection) {
        for (uint32_t i = 0; i < in->selected; i++) {
            uint32_t row = in->selection[i];
            out[row] = double_holds(call, a[row], b[exec__eval_row(right, row)]);
        }
    } else if (right->constant) {
        double constant = b[0];
        for (uint32_t row = 0; row < in->row_count; row++)
            out[row] = double_holds(call, a[row], constant);
    } else {
        for (uint32_t row = 0; row < in->row_count; row++)
            out[row] = double_holds(call, a[row], b[row]);
    }
}

static void integer_compare(enum expr_call call, const struct eval *a, const struct eval *b,
                            const struct batch *in, bool *out)
{
    switch (call) {
    case CALL_EQ:
        integer_loop(CALL_EQ, a, b, in, out);
        break;
    case CALL_NE:
        integer_loop(CALL_NE, a, b, in, out);
        break;
    case CALL_LT:
        integer_loop(CALL_LT, a, b, in, out);
        break;
    case CALL_LE:
        integer_loop(CALL_LE, a, b, in, out);
        break;
    case CALL_GT:
        integer_loop(CALL_GT, a, b, in, out);
        break;
    default:
        integer_loop(CALL_GE, a, b, in, out);
        break;
    }
}

static void double_compare(enum expr_call call, const struct eval *a, const struct eval *b,
                           const struct batch *in, bool *out)
{
    switch (call) {
    case CALL_EQ:
        double_loop(CALL_EQ, a, b, in, out);
        break;
    case CALL_NE:
        double_loop(CALL_NE, a, b, in, out);
        break;
    case CALL_LT:
        double_loop(CALL_LT, a, b, in, out);
        break;
    case CALL_LE:
        double_loop(CALL_LE, a, b, in, out);
        break;
    case CALL_GT:
        double_loop(CALL_GT, a, b, in, out);
        break;
    default:
        double_loop(CALL_GE, a, b, in, out);
        break;
    }
}

/* Most texts differ in their size or at their beginning. */
INLINE bool text_equal(struct slice a, struct slice b)
{
    return a.size == b.size &&
           (a.size == 0 || (a.data[0] == b.data[0] && memcmp(a.data, b.data, a.size) == 0));
}

/* As slice_compare: eight bytes at a time, the last ones of the shorter text with some that were
 * equal before. */
INLINE int text_order(struct slice a, struct slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    if (size < 8)
        return slice_compare(a, b);
    for (size_t i = 0;; i = i + 8 <= size - 8 ? i + 8 : size - 8) {
        uint64_t x = get_u64_be(a.data + i), y = get_u64_be(b.data + i);
        if (x != y)
            return x < y ? -1 : 1;
        if (i == size - 8)
            return (a.size > b.size) - (a.size < b.size);
    }
}

INLINE void text_order_loop(enum expr_call call, const struct eval *a, const struct eval *b,
                            const struct batch *in, bool *out)
{
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        int order = text_order(exec__eval_text(a, row), exec__eval_text(b, row));
        out[row] = integer_holds(call, order, 0);
    }
}

static void text_compare(enum expr_call call, const struct eval *a, const struct eval *b,
                         const struct batch *in, bool *out)
{
    /* Text under a NULL is empty: comparing it does no harm. */
    switch (call) {
    case CALL_LT:
        text_order_loop(CALL_LT, a, b, in, out);
        return;
    case CALL_LE:
        text_order_loop(CALL_LE, a, b, in, out);
        return;
    case CALL_GT:
        text_order_loop(CALL_GT, a, b, in, out);
        return;
    case CALL_GE:
        text_order_loop(CALL_GE, a, b, in, out);
        return;
    default:
        break;
    }
    ASSERT(call == CALL_EQ || call == CALL_NE);
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        out[row] =
            text_equal(exec__eval_text(a, row), exec__eval_text(b, row)) == (call == CALL_EQ);
    }
}

/* A NULL is left alone: what lies under it need not be a numeric. */
static void numeric_compare_rows(enum expr_call call, const struct eval *a, const struct eval *b,
                                 const struct batch *in, bool *out)
{
    bool nulls = a->result->has_nulls || b->result->has_nulls;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (nulls && (exec__eval_null(a, row) || exec__eval_null(b, row)))
            continue;
        int order = numeric_order(exec__eval_numeric(a, row), exec__eval_numeric(b, row));
        out[row] = expr_order_holds(call, order);
    }
}

/* The types that are seldom compared. What lies under a NULL may be anything, and is compared too.
 */
static void value_compare_rows(enum expr_call call, const struct eval *a, const struct eval *b,
                               const struct batch *in, bool *out)
{
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        struct value x = vector_get(a->result, exec__eval_row(a, row));
        struct value y = vector_get(b->result, exec__eval_row(b, row));
        out[row] = expr_order_holds(call, value_compare(&x, &y));
    }
}

/* NULL entries of a boolean column may hold any byte: read them as such. */
static int boolean_at(const struct eval *eval, uint32_t row)
{
    const uint8_t *bytes = (const uint8_t *)eval->result->as.booleans;
    return bytes[exec__eval_row(eval, row)] & 1;
}

static void boolean_compare(enum expr_call call, const struct eval *a, const struct eval *b,
                            const struct batch *in, bool *out)
{
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        out[row] = expr_order_holds(call, boolean_at(a, row) - boolean_at(b, row));
    }
}

/* out[row] = a call b for the selected rows, NULL entries with any result. */
static void compare(enum expr_call call, const struct eval *a, const struct eval *b,
                    const struct batch *in, bool *out)
{
    ASSERT(a->result->type == b->result->type);
    if (a->constant) {
        const struct eval *swap = a;
        a = b;
        b = swap;
        call = expr_call_mirrored(call);
    }
    /* Both constant: the input is then one row, and row 0 is right for both. */
    ASSERT(!a->constant || in->row_count == 1);
    switch (type_storage(a->result->type)) {
    case SQL_BOOLEAN:
        boolean_compare(call, a, b, in, out);
        break;
    case SQL_INTEGER:
        integer_compare(call, a, b, in, out);
        break;
    case SQL_DOUBLE:
        double_compare(call, a, b, in, out);
        break;
    case SQL_TEXT:
        text_compare(call, a, b, in, out);
        break;
    case SQL_NUMERIC:
        numeric_compare_rows(call, a, b, in, out);
        break;
    default:
        value_compare_rows(call, a, b, in, out);
        break;
    }
}

static status_t compare_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    compare(eval->expr->call, eval->arguments[0], eval->arguments[1], in, eval->out.as.booleans);
    return OK;
}

static status_t distinct_run(struct eval *eval, const struct batch *in, struct error *error)
{
    struct eval *a = eval->arguments[0];
    struct eval *b = eval->arguments[1];
    status_t status = exec__eval_run(a, in, error);
    if (status == OK)
        status = exec__eval_run(b, in, error);
    if (status != OK)
        return status;
    exec__eval_prepare(eval, in->row_count);
    bool wanted = eval->expr->call == CALL_IS_NOT_DISTINCT;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        uint32_t a_row = exec__eval_row(a, row);
        uint32_t b_row = exec__eval_row(b, row);
        bool a_null = vector_is_null(a->result, a_row);
        bool equal = a_null || vector_is_null(b->result, b_row)
                         ? a_null == vector_is_null(b->result, b_row)
                         : exec__entries_equal(a->result, a_row, b->result, b_row);
        eval->out.as.booleans[row] = equal == wanted;
    }
    return OK;
}

/* IS [NOT] NULL, TRUE, FALSE: never NULL itself. */
static status_t is_run(struct eval *eval, const struct batch *in, struct error *error)
{
    struct eval *argument = eval->arguments[0];
    status_t status = exec__eval_run(argument, in, error);
    if (status != OK)
        return status;
    exec__eval_prepare(eval, in->row_count);
    enum expr_call call = eval->expr->call;
    bool *out = eval->out.as.booleans;
    bool typed = argument->result->type == SQL_BOOLEAN;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        bool null = exec__eval_null(argument, row);
        bool truth = !null && typed && boolean_at(argument, row);
        switch (call) {
        case CALL_IS_NULL:
            out[row] = null;
            break;
        case CALL_IS_NOT_NULL:
            out[row] = !null;
            break;
        case CALL_IS_TRUE:
            out[row] = truth;
            break;
        case CALL_IS_NOT_TRUE:
            out[row] = !truth;
            break;
        case CALL_IS_FALSE:
            out[row] = !null && !truth;
            break;
        default:
            out[row] = null || truth;
            break;
        }
    }
    return OK;
}

static status_t not_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        eval->out.as.booleans[row] = !boolean_at(eval->arguments[0], row);
    }
    return OK;
}

eval_fn *exec__compare_kernel(const struct expr *expr)
{
    switch (expr->call) {
    case CALL_EQ:
    case CALL_NE:
    case CALL_LT:
    case CALL_LE:
    case CALL_GT:
    case CALL_GE:
        return compare_run;
    case CALL_IS_DISTINCT:
    case CALL_IS_NOT_DISTINCT:
        return distinct_run;
    case CALL_IS_NULL:
    case CALL_IS_NOT_NULL:
    case CALL_IS_TRUE:
    case CALL_IS_NOT_TRUE:
    case CALL_IS_FALSE:
    case CALL_IS_NOT_FALSE:
        return is_run;
    case CALL_NOT:
        return not_run;
    default:
        return NULL;
    }
}
