/* x IN (a, b, ...): true when one of them equals x, else NULL when one of them or x is NULL.
 *
 * A list of constants is made ready when it is long, or asked of many rows: whole numbers and texts
 * become a set (member_set.c), others are sorted. Otherwise its entries are asked one by one, each
 * of the rows that equal none before it. */
#include <string.h>

#include "base/mem.h"
#include "sql/exec/member_set_int.h"

enum {
    LIST_LONG = 8,  /* entries */
    ROWS_MANY = 16, /* of a batch */
};

/* Its constants. */
struct in_list {
    struct value *values; /* sorted, when there is no set */
    uint32_t count;
    bool has_null;
    struct member_set *set;
};

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

/* Those that are not NULL, as a column. */
static struct member_set *in_list_set(const struct in_list *list, enum sql_type type,
                                      struct arena *arena)
{
    if (!exec__member_type(type) || list->count > MEMBERS_MAX)
        return NULL;
    /* A vector has room for BATCH_ROWS_MAX, and a list may be longer. */
    struct vector members = {.type = type};
    struct slice *texts = arena_alloc(arena, (list->count + 1) * sizeof *texts);
    int64_t *numbers = arena_alloc(arena, (list->count + 1) * sizeof *numbers);
    bool is_text = type_storage(type) == SQL_TEXT;
    for (uint32_t i = 0; i < list->count; i++) {
        if (is_text)
            texts[i] = list->values[i].as.text;
        else
            numbers[i] = list->values[i].as.integer;
    }
    if (is_text)
        members.as.texts = texts;
    else
        members.as.integers = numbers;
    return exec__member_set_make(arena, &members, list->count);
}

/* The list, when all in it is constant and it is worth it, or NULL. */
static status_t in_list_make(struct eval *eval, uint32_t rows, struct in_list **out,
                             struct error *error)
{
    *out = eval->state;
    bool is_long = eval->argument_count - 1 >= LIST_LONG;
    if (eval->state || (!is_long && rows < ROWS_MANY))
        return OK;
    for (uint32_t i = 1; i < eval->argument_count; i++) {
        /* What a short list has to compute first may fail, and not be asked at all. */
        if (!eval->arguments[i]->constant || (!is_long && !eval->arguments[i]->done))
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
    if (!eval->arguments[0]->constant)
        list->set = in_list_set(list, eval->arguments[0]->result->type, arena);
    if (!list->set) {
        struct value *room = mem_alloc((list->count + 1) * sizeof *room);
        in_list_sort(list->values, list->count, room);
        mem_free(room);
    }
    eval->state = *out = list;
    return OK;
}

static void in_list_run(struct eval *eval, const struct in_list *list, const struct batch *in)
{
    const struct eval *left = eval->arguments[0];
    ASSERT(!list->set || !left->constant);
    if (list->set)
        exec__member_set_find(list->set, left->result, in, eval->out.as.booleans);
    if (list->set && !left->result->has_nulls && !list->has_null)
        return;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (exec__eval_null(left, row)) {
            vector_set_null(&eval->out, row);
            continue;
        }
        struct value value = vector_get(left->result, exec__eval_row(left, row));
        bool found = list->set ? eval->out.as.booleans[row] : in_list_holds(list, &value);
        if (!found && list->has_null)
            vector_set_null(&eval->out, row);
        else
            eval->out.as.booleans[row] = found;
    }
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
        status = in_list_make(eval, in->selected, &list, error);
    if (status != OK)
        return status;
    exec__eval_prepare(eval, in->row_count);
    if (list) {
        in_list_run(eval, list, in);
        return OK;
    }
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
