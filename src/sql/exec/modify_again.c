/* A write of single rows run again without being opened again: INSERT of VALUES, UPDATE and DELETE
 * of the one row that a key leads to.
 *
 * What stays from run to run is what is the same in all of them: room for a row, the table's
 * shape, buffers. Plans that work out anything which lasts for a statement (checks, predicates and
 * computed columns may call statement_timestamp), or collect rows, are not run so. */
#include "sql/exec/modify_int.h"

enum { HELD_MAX = 4096 }; /* bytes of one buffer at rest, and of the arena */

bool exec_is_repeatable(const struct planned *planned)
{
    const struct plan *root = planned->root;
    if (root->kind != PLAN_INSERT && root->kind != PLAN_UPDATE && root->kind != PLAN_DELETE)
        return false;
    const struct table *table = root->as.modify.table;
    const struct plan_rules *rules = root->as.modify.rules;
    bool plain = planned->subplan_count == 0 && planned->common_count == 0 &&
                 planned->working_count == 0 && planned->cell_count == 0 &&
                 planned->nextval_count == 0 && !planned->is_momentary && !planned->returns_rows &&
                 !root->as.modify.returning;
    bool ruled = !rules || rules->check_count > 0 || rules->predicates ||
                 table->computed_count > 0 || table->foreign_key_count > 0 ||
                 table->referenced_by_count > 0;
    if (!plain || ruled)
        return false;
    if (root->kind != PLAN_INSERT)
        return root->as.modify.one_row != NULL;
    return root->left->kind == PLAN_VALUES && root->as.modify.conflict == CONFLICT_ERROR;
}

static bool is_small(const struct modify *modify)
{
    return modify->key.capacity <= HELD_MAX && modify->old_key.capacity <= HELD_MAX &&
           modify->value.capacity <= HELD_MAX && modify->old_value.capacity <= HELD_MAX &&
           modify->scratch.used <= HELD_MAX;
}

bool exec_rest(struct exec *exec)
{
    struct modify *modify = (struct modify *)exec->root;
    ASSERT(modify && modify->done && exec->failed == OK && exec->opened == &modify->op);
    ASSERT(!modify->op.left && !modify->op.opened_before && exec->memory_used == 0);
    if (!is_small(modify))
        return false;
    arena_reset(&modify->scratch);
    exec->context.txn = NULL;
    exec->context.parameters = NULL;
    return true;
}

void exec_renew(struct exec *exec, struct store_txn *txn, const struct value *parameters,
                uint64_t transaction_us)
{
    struct modify *modify = (struct modify *)exec->root;
    ASSERT(txn && !exec->context.txn && modify->done);
    exec->context.txn = txn;
    exec->context.parameters = parameters;
    exec->context.transaction_us = transaction_us;
    exec->context.statement_us = 0;
    exec->rows_affected = 0;
    exec->written = false;
    exec->prng_seeded = false;
    exec->row_id_next = 0;
    modify->done = false;
}
