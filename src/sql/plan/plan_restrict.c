/* The conditions on a table read as restrictions of single columns: =, IN, bounds, the prefix of a
 * LIKE. */
#include <string.h>

#include "base/utf8.h"
#include "sql/plan/plan_path_int.h"

bool plan__own_column(const struct access *access, const struct expr *expr, uint32_t *place)
{
    const struct relation *relation = access->relation;
    for (uint32_t i = 0; access->computed && i < access->table->computed_count; i++) {
        if (access->computed[i] && plan__equal(access->computed[i], expr)) {
            *place = access->table->column_count + i;
            return true;
        }
    }
    if (expr->kind != EXPR_COLUMN || expr->index < relation->slot_first ||
        expr->index - relation->slot_first >= relation->column_count)
        return false;
    *place = expr->index - relation->slot_first;
    return true;
}

static bool may_be_key(const struct access *access, const struct expr *expr, uint32_t place)
{
    return expr->type == access->table->columns[place].type.kind && !expr->is_volatile &&
           (plan__relations(access->query, expr) & ~access->outside) == 0;
}

static void restrict_by(struct access *access, struct restriction restriction)
{
    struct restrictions *list = &access->restrictions;
    list->items = arena_grow(access->planner->arena, list->items, &list->capacity, list->count + 1,
                             sizeof *list->items);
    list->items[list->count++] = restriction;
}

static void read_comparison(struct access *access, const struct expr *expr, uint32_t condition)
{
    struct restriction r = {.condition = condition, .exact = true};
    enum expr_call call = expr->call;
    r.value = expr->arguments[1];
    bool found = plan__own_column(access, expr->arguments[0], &r.place) &&
                 may_be_key(access, r.value, r.place);
    if (!found) {
        r.value = expr->arguments[0];
        call = expr_call_mirrored(call);
        found = plan__own_column(access, expr->arguments[1], &r.place) &&
                may_be_key(access, r.value, r.place);
    }
    if (!found || call == CALL_NE)
        return;
    r.kind = call == CALL_EQ ? FIXED : call == CALL_LT || call == CALL_LE ? UPPER : LOWER;
    r.inclusive = call == CALL_LE || call == CALL_GE;
    restrict_by(access, r);
}

static void read_list(struct access *access, const struct expr *expr, uint32_t condition)
{
    struct restriction r = {.kind = LISTED, .condition = condition, .exact = true};
    if (!plan__own_column(access, expr->arguments[0], &r.place))
        return;
    r.list = expr->arguments + 1;
    r.list_count = expr->argument_count - 1;
    for (uint32_t i = 0; i < r.list_count; i++) {
        if (!may_be_key(access, r.list[i], r.place))
            return;
    }
    restrict_by(access, r);
}

/* The smallest text above all that begin with the prefix: its last character one up, characters
 * that have no next one dropped. Byte order is character order in UTF-8. False: there is none. */
static bool prefix_end(struct planner *planner, struct slice prefix, struct slice *out)
{
    uint8_t *text = arena_alloc(planner->arena, prefix.size + 4);
    memcpy(text, prefix.data, prefix.size);
    size_t size = prefix.size;
    while (size > 0) {
        size_t start = size - 1;
        while (start > 0 && (text[start] & 0xc0) == 0x80)
            start--;
        uint32_t character = 0;
        if (utf8_decode(slice_make(text + start, size - start), &character) == 0)
            return false;
        character = character == 0xd7ff ? 0xe000 : character + 1;
        size_t length = utf8_encode(character, text + start);
        if (length > 0) {
            *out = slice_make(text, start + length);
            return true;
        }
        size = start;
    }
    return false;
}

/* column LIKE 'abc%': from 'abc' to below 'abd'. */
static void read_like(struct access *access, const struct expr *expr, uint32_t condition)
{
    uint32_t place;
    const struct expr *pattern = expr->arguments[1];
    if (expr->argument_count != 2 || !plan__own_column(access, expr->arguments[0], &place) ||
        !plan__is_constant(pattern) || pattern->constant.null ||
        access->table->columns[place].type.kind != SQL_TEXT)
        return;
    struct slice text = pattern->constant.as.text;
    size_t size = 0;
    while (size < text.size && !strchr("%_\\", text.data[size]))
        size++;
    struct slice prefix = slice_make(text.data, size);
    struct slice end;
    if (size == 0 || !prefix_end(access->planner, prefix, &end))
        return;
    struct restriction r = {.place = place, .condition = condition, .half = true};
    r.exact = size + 1 == text.size && text.data[size] == '%';
    r.kind = LOWER;
    r.inclusive = true;
    r.value = plan__constant(access->planner, value_text(prefix), pattern->position);
    restrict_by(access, r);
    r.kind = UPPER;
    r.inclusive = false;
    r.value = plan__constant(access->planner, value_text(end), pattern->position);
    restrict_by(access, r);
}

void plan__read_restrictions(struct access *access)
{
    for (uint32_t i = 0; i < access->conditions->count; i++) {
        const struct expr *expr = access->conditions->items[i];
        if (expr->kind == EXPR_IN)
            read_list(access, expr, i);
        else if (expr->kind == EXPR_CALL && plan__is_comparison(expr->call))
            read_comparison(access, expr, i);
        else if (expr->kind == EXPR_CALL && expr->call == CALL_LIKE)
            read_like(access, expr, i);
    }
}

/* Whether a bound leaves less than another, as far as that is known. */
static bool is_tighter(const struct restriction *bound, const struct restriction *than)
{
    if (!plan__is_constant(bound->value) || !plan__is_constant(than->value))
        return false;
    int order = value_compare(&bound->value->constant, &than->value->constant);
    if (order == 0)
        return than->inclusive && !bound->inclusive;
    return bound->kind == LOWER ? order > 0 : order < 0;
}

/* The restriction of a column; of several bounds the tightest. */
const struct restriction *plan__find_restriction(const struct access *access, uint32_t place,
                                                 enum restriction_kind kind)
{
    const struct restriction *found = NULL;
    for (uint32_t i = 0; i < access->restrictions.count; i++) {
        const struct restriction *r = &access->restrictions.items[i];
        if (r->place != place || r->kind != kind)
            continue;
        if (kind == FIXED || kind == LISTED)
            return r;
        if (!found || is_tighter(r, found))
            found = r;
    }
    return found;
}

bool plan__list_is_constant(const struct restriction *r)
{
    for (uint32_t i = 0; i < r->list_count; i++) {
        if (!plan__is_constant(r->list[i]))
            return false;
    }
    return true;
}
