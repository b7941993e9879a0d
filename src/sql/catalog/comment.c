/* COMMENT ON. */
#include "base/check.h"
#include "sql/catalog/catalog_int.h"

status_t catalog_comment_put(struct store_txn *txn, const struct comment *comment,
                             struct error *error)
{
    ASSERT(txn && comment && comment->relation_id > 0);
    struct value row[4] = {value_integer(comment->relation_id), value_integer(comment->kind),
                           value_integer(comment->id)};
    status_t status;
    if (comment->text) {
        row[3] = value_text(slice_from_string(comment->text));
        status = catalog__row_put(txn, SYSTEM_COMMENTS, row, error);
    } else {
        status = catalog__rows_remove(txn, SYSTEM_COMMENTS, row, 3, error);
    }
    return status == OK ? catalog__version_bump(txn, error) : status;
}

const char *catalog_comment(const struct catalog *catalog, uint32_t relation_id,
                            enum comment_kind kind, uint32_t id)
{
    ASSERT(catalog);
    for (uint32_t i = 0; i < catalog->comment_count; i++) {
        const struct comment *comment = &catalog->comments[i];
        if (comment->relation_id == relation_id && comment->kind == kind && comment->id == id)
            return comment->text;
    }
    return NULL;
}

status_t catalog__comments_remove(struct store_txn *txn, uint32_t relation_id, struct error *error)
{
    struct value key = value_integer(relation_id);
    return catalog__rows_remove(txn, SYSTEM_COMMENTS, &key, 1, error);
}
