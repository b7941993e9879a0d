/* LIKE and ILIKE: the escape character is a backslash when none is given, and none when it is
 * empty. */
#include "base/utf8.h"
#include "sql/exec/exec_int.h"

/* A broken pattern is an error whatever the text, as far as it is looked at. */
static status_t escape_of(const struct eval *eval, uint32_t row, uint32_t *escape,
                          struct error *error)
{
    *escape = '\\';
    if (eval->argument_count < 3)
        return OK;
    struct slice text = exec__eval_text(eval->arguments[2], row);
    if (text.size == 0) {
        *escape = LIKE_ESCAPE_NONE;
        return OK;
    }
    if (utf8_decode(text, escape) == text.size)
        return OK;
    error_sql(error, "22025", eval->expr->position, "invalid escape string");
    error_hint(error, "Escape string must be empty or one character.");
    return ERR_SQL;
}

/* Bytes of a text that is gone through without a look at the cancel flag. */
enum { TEXT_LONG = 1 << 22 };

/* Of a pattern that is the same for all rows. */
struct like_state {
    uint32_t escape;
    bool in_parts;
    struct like_parts parts;
};

/* NULL: the pattern is another one for each row, or none for like_parts_match. */
static status_t state_of(struct eval *eval, const struct like_state **found, struct error *error)
{
    struct like_state *state = eval->state;
    const struct eval *pattern = eval->arguments[1];
    *found = NULL;
    if (eval->expr->call != CALL_LIKE || !pattern->constant ||
        (eval->argument_count > 2 && !eval->arguments[2]->constant))
        return OK;
    if (!state) {
        uint32_t escape;
        status_t status = escape_of(eval, 0, &escape, error);
        if (status != OK)
            return status;
        eval->state = state = arena_zalloc(eval->exec->arena, sizeof *state);
        state->escape = escape;
        state->in_parts =
            like_parts_make(exec__eval_text(pattern, 0), escape, eval->exec->arena, &state->parts);
    }
    *found = state->in_parts ? state : NULL;
    return OK;
}

static status_t parts_run(struct eval *eval, const struct like_state *state, const struct batch *in,
                          struct error *error)
{
    const struct eval *text = eval->arguments[0];
    struct slice pattern = exec__eval_text(eval->arguments[1], 0);
    bool valid;
    struct pace pace = {.exec = eval->exec};
    status_t status = OK;
    /* Under a NULL there is an empty text. */
    for (uint32_t i = 0; i < in->selected && status == OK; i++) {
        uint32_t row = batch_row(in, i);
        struct slice one = exec__eval_text(text, row);
        eval->out.as.booleans[row] = one.size < TEXT_LONG
                                         ? like_parts_match(&state->parts, one)
                                         : like_match(one, pattern, state->escape, false,
                                                      eval->exec->context.cancel, &valid);
        status = exec__pace(&pace, one.size, error);
    }
    return status;
}

static status_t like_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    const struct like_state *state;
    status = state_of(eval, &state, error);
    if (status != OK || state)
        return status == OK ? parts_run(eval, state, in, error) : status;
    bool fold = eval->expr->call == CALL_ILIKE;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(&eval->out, row))
            continue;
        uint32_t escape;
        status = escape_of(eval, row, &escape, error);
        if (status != OK)
            return status;
        bool valid;
        eval->out.as.booleans[row] = like_match(exec__eval_text(eval->arguments[0], row),
                                                exec__eval_text(eval->arguments[1], row), escape,
                                                fold, eval->exec->context.cancel, &valid);
        status = exec__cancel_check(eval->exec, error);
        if (status != OK)
            return status;
        if (!valid)
            return error_sql(error, "22025", eval->expr->position,
                             "LIKE pattern must not end with escape character");
    }
    return OK;
}

eval_fn *exec__like_kernel(const struct expr *expr)
{
    return expr->call == CALL_LIKE || expr->call == CALL_ILIKE ? like_run : NULL;
}
