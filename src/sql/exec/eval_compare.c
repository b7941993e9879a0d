/* Comparison kernels: =, <>, <, <=, >, >=, IS [NOT] DISTINCT FROM, IS [NOT] NULL/TRUE/FALSE, NOT,
 * IN.
 *
 * The loops over integers and doubles are written once and inlined for each operator with the
 * operator a constant, so that each is a tight loop the compiler can vectorise. */
#include "sql/exec/exec_int.h"

#include <string.h>

#include "base/mem.h"

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

static void text_compare(enum expr_call call, const struct eval *a, const struct eval *b,
                         const struct batch *in, bool *out)
{
    /* Text under a NULL is empty: comparing it does no harm. */
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        struct slice x = exec__eval_text(a, row);
        struct slice y = exec__eval_text(b, row);
        if (call == CALL_EQ || call == CALL_NE)
            out[row] = text_equal(x, y) == (call == CALL_EQ);
        else
            out[row] = expr_order_holds(call, slice_compare(x, y));
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

/* ---- IN ----------------------------------------------------------------------------------------
 */

/* A long list of constants, sorted once. */
struct in_list {
    struct value *values;
    uint32_t count;
    bool has_null;
};

enum { IN_LIST_SORTED_MIN = 8 };

static void in_list_sort(struct value *values, uint32_t count, struct value *room)
{
    if (count < 2)
        return;
    uint32_t half = count / 2;
    in_list_sort(values, half, room);
    in_list_sort(values + half, count - half, room);
    uint32_t a = 0, b = half, n = 0;
    while (a < half && b < count)
        room[n++] = value_compare(&values[a], &values[b]) <= 0 ? values[a++] : values[b++];
    while (a < half)
        room[n++] = values[a++];
    while (b < count)
        room[n++] = values[b++];
    memcpy(values, room, count * sizeof *values);
}

static bool in_list_holds(const struct in_list *list, const struct value *value)
{
    uint32_t low = 0, high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = value_compare(value, &list->values[middle]);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* Sorted list of the constants, or NULL when the list is short or holds other expressions. */
static status_t in_list_make(struct eval *eval, struct in_list **out, struct error *error)
{
    *out = eval->state;
    if (eval->state || eval->argument_count - 1 < IN_LIST_SORTED_MIN)
        return OK;
    for (uint32_t i = 1; i < eval->argument_count; i++) {
        if (!eval->arguments[i]->constant)
            return OK;
    }
    struct arena *arena = eval->exec->arena;
    struct in_list *list = arena_zalloc(arena, sizeof *list);
    list->values = arena_alloc(arena, eval->argument_count * sizeof(struct value));
    for (uint32_t i = 1; i < eval->argument_count; i++) {
        struct value value;
        status_t status = exec__eval_constant(eval->arguments[i], &value, error);
        if (status != OK)
            return status;
        if (value.null)
            list->has_null = true;
        else
            list->values[list->count++] = value;
    }
    struct value *room = mem_alloc((list->count + 1) * sizeof *room);
    in_list_sort(list->values, list->count, room);
    mem_free(room);
    eval->state = *out = list;
    return OK;
}

static void in_list_run(struct eval *eval, const struct in_list *list, const struct batch *in)
{
    const struct eval *left = eval->arguments[0];
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (exec__eval_null(left, row)) {
            vector_set_null(&eval->out, row);
            continue;
        }
        struct value value = vector_get(left->result, exec__eval_row(left, row));
        bool found = in_list_holds(list, &value);
        if (!found && list->has_null)
            vector_set_null(&eval->out, row);
        else
            eval->out.as.booleans[row] = found;
    }
}

/* One of a few whole numbers or texts, that are constants and not NULL? False: it is another list.
 */
static bool in_few_run(struct eval *eval, const struct batch *in)
{
    const struct eval *left = eval->arguments[0];
    enum sql_type storage = type_storage(left->result->type);
    bool plain = (storage == SQL_INTEGER || storage == SQL_TEXT) && !left->constant &&
                 !left->result->has_nulls;
    for (uint32_t k = 1; k < eval->argument_count && plain; k++) {
        const struct eval *entry = eval->arguments[k];
        plain = entry->constant && entry->done && !vector_is_null(entry->result, 0);
    }
    bool *out = eval->out.as.booleans;
    for (uint32_t i = 0; plain && i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        bool found = false;
        for (uint32_t k = 1; k < eval->argument_count && !found; k++) {
            const struct vector *entry = eval->arguments[k]->result;
            found = storage == SQL_INTEGER
                        ? left->result->as.integers[row] == entry->as.integers[0]
                        : text_equal(left->result->as.texts[row], entry->as.texts[0]);
        }
        out[row] = found;
    }
    return plain;
}

/* Compares the rows of `open` with one list entry; those that match are done. */
static status_t in_entry_run(struct eval *eval, struct eval *entry, struct batch *open,
                             struct error *error)
{
    const struct eval *left = eval->arguments[0];
    status_t status = exec__eval_run(entry, open, error);
    if (status != OK)
        return status;
    uint32_t *still = eval->selections[0];
    uint32_t count = 0;
    for (uint32_t i = 0; i < open->selected; i++) {
        uint32_t row = batch_row(open, i);
        if (exec__eval_null(entry, row)) {
            vector_set_null(&eval->out, row);
        } else if (exec__entries_equal(left->result, exec__eval_row(left, row), entry->result,
                                       exec__eval_row(entry, row))) {
            eval->out.as.booleans[row] = true;
            if (eval->out.has_nulls)
                eval->out.nulls[row / 64] &= ~((uint64_t)1 << (row % 64));
            continue;
        }
        still[count++] = row;
    }
    open->selection = still;
    open->selected = count;
    return OK;
}

status_t exec__in_run(struct eval *eval, const struct batch *in, struct error *error)
{
    ASSERT(eval->argument_count >= 1);
    struct in_list *list;
    status_t status = exec__eval_run(eval->arguments[0], in, error);
    if (status == OK)
        status = in_list_make(eval, &list, error);
    if (status != OK)
        return status;
    exec__eval_prepare(eval, in->row_count);
    if (list) {
        in_list_run(eval, list, in);
        return OK;
    }
    if (in_few_run(eval, in))
        return OK;
    exec__eval_selections(eval, in->row_count);
    struct batch open = *in;
    uint32_t *rows = eval->selections[0];
    uint32_t count = 0;
    memset(eval->out.as.booleans, false, in->row_count);
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (exec__eval_null(eval->arguments[0], row))
            vector_set_null(&eval->out, row);
        else
            rows[count++] = row;
    }
    open.selection = rows;
    open.selected = count;
    for (uint32_t i = 1; i < eval->argument_count && open.selected > 0 && status == OK; i++)
        status = in_entry_run(eval, eval->arguments[i], &open, error);
    return status;
}
