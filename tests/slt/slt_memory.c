/* The engine alone, over a sorted array in memory. */
#include "slt.h"

struct memory {
    struct slt_target target;
    struct env *env;
    struct store_memory *store;
    struct sql_engine *engine;
    struct sql_session *session;
};

static void add_rows(struct slt_result *result, const struct batch *batch, struct slice types)
{
    for (uint32_t i = 0; i < batch->selected; i++) {
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct value value = vector_get(&batch->columns[c], batch_row(batch, i));
            slt_result_add(result, &value, c < types.size ? (char)types.data[c] : 'T');
        }
    }
}

static bool memory_execute(struct slt_target *target, struct slice sql, struct slice types,
                           struct slt_result *result, struct error *error)
{
    struct memory *run = (struct memory *)target;
    struct sql_event event;
    sql_submit(run->session, sql, NULL, 0);
    do {
        sql_step(run->session, &event);
        switch (event.kind) {
        case SQL_EVENT_BEGIN:
            sql_begun(run->session, store_memory_begin(run->store), true, 1700000000000000, OK,
                      NULL);
            break;
        case SQL_EVENT_COMMIT:
            store_memory_commit(event.txn);
            sql_committed(run->session, OK, NULL);
            break;
        case SQL_EVENT_ROLLBACK:
            store_memory_rollback(event.txn);
            break;
        case SQL_EVENT_HEADER:
            result->columns = event.column_count;
            break;
        case SQL_EVENT_ROWS:
            add_rows(result, event.batch, types);
            break;
        case SQL_EVENT_ERROR:
            *error = event.error;
            return false;
        default:
            break;
        }
    } while (event.kind != SQL_EVENT_DONE);
    return true;
}

static bool memory_open(struct slt_target *target, struct error *error)
{
    (void)error;
    struct memory *run = (struct memory *)target;
    run->store = store_memory_create();
    run->engine = sql_engine_create(run->env);
    run->session = sql_session_create(run->engine);
    return true;
}

static void memory_close(struct slt_target *target)
{
    struct memory *run = (struct memory *)target;
    if (!run->session)
        return;
    struct store_txn *txn = sql_session_abort(run->session);
    if (txn)
        store_memory_rollback(txn);
    sql_session_destroy(run->session);
    sql_engine_destroy(run->engine);
    store_memory_destroy(run->store);
    run->session = NULL;
}

struct slt_target *slt_target_memory(struct env *env)
{
    static struct memory memory = {.target = {memory_open, memory_close, memory_execute}};
    memory.env = env;
    return &memory.target;
}
