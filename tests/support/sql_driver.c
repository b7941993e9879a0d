#include "sql_driver.h"

#include "base/check.h"

void sql_driver_init(struct sql_driver *driver, struct env *env)
{
    *driver = (struct sql_driver){
        .store = store_memory_create(),
        .engine = sql_engine_create(env),
        .now_us = 1700000000000000,
    };
}

static void session_drop(struct sql_session *session)
{
    struct store_txn *txn;
    while ((txn = sql_session_abort(session)) != NULL)
        store_memory_rollback(txn);
}

void sql_driver_free(struct sql_driver *driver)
{
    for (uint32_t i = 0; i < SQL_DRIVER_SESSIONS; i++) {
        if (driver->sessions[i])
            session_drop(driver->sessions[i]);
        sql_session_destroy(driver->sessions[i]);
    }
    if (driver->stale)
        store_memory_rollback(driver->stale);
    sql_engine_destroy(driver->engine);
    store_memory_destroy(driver->store);
}

struct sql_session *sql_driver_session(struct sql_driver *driver, uint32_t number)
{
    ASSERT(number < SQL_DRIVER_SESSIONS);
    if (!driver->sessions[number])
        driver->sessions[number] = sql_session_create(driver->engine);
    return driver->sessions[number];
}

void sql_driver_keep_stale(struct sql_driver *driver)
{
    if (driver->stale)
        store_memory_rollback(driver->stale);
    driver->stale = store_memory_begin(driver->store);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer_begin(struct sql_driver *driver, struct sql_session *session,
                         const struct sql_event *event, struct buffer *out)
{
    if (driver->refuse_begins) {
        driver->refuse_begins--;
        struct error error = {0};
        error_set(&error, ERR_NO_QUORUM, "no quorum of nodes can be reached");
        sql_begun(session, NULL, false, 0, ERR_NO_QUORUM, &error);
        return;
    }
    bool confirmed = !event->may_be_unconfirmed || driver->unconfirmed == 0;
    struct store_txn *txn = NULL;
    if (!confirmed) {
        driver->unconfirmed--;
        txn = driver->stale;
        driver->stale = NULL;
        if (driver->trace)
            buffer_append_string(out, txn ? "  (stale snapshot)\n" : "  (unconfirmed snapshot)\n");
    }
    if (!txn)
        txn = store_memory_begin(driver->store);
    sql_begun(session, txn, confirmed, driver->now_us, OK, NULL);
}

static void run_between(struct sql_driver *driver, struct buffer *out)
{
    const char *text = driver->between;
    if (!text || --driver->between_after > 0)
        return;
    bool traced = driver->trace;
    driver->between = NULL;
    driver->trace = false;
    buffer_append_string(out, "  (meanwhile)\n");
    sql_driver_run(driver, sql_driver_session(driver, SQL_DRIVER_SESSIONS - 1),
                   slice_from_string(text), NULL, 0, out);
    driver->trace = traced;
}

static void call_meanwhile(struct sql_driver *driver)
{
    void (*meanwhile)(void *context) = driver->meanwhile;
    if (!meanwhile)
        return;
    driver->meanwhile = NULL;
    meanwhile(driver->meanwhile_context);
    driver->meanwhile = meanwhile;
}

static void answer_commit(struct sql_driver *driver, struct sql_session *session,
                          const struct sql_event *event, struct buffer *out)
{
    if (!driver->refuse_commits) {
        store_memory_commit(event->txn);
        if (event->chore) {
            run_between(driver, out);
            call_meanwhile(driver);
        }
        sql_committed(session, OK, NULL);
        return;
    }
    driver->refuse_commits--;
    store_memory_rollback(event->txn);
    if (driver->trace)
        buffer_printf(out, "  (refused: %s)\n", status_name(driver->refuse_status));
    struct error error = {0};
    error_set(&error, driver->refuse_status, "%s", status_text(driver->refuse_status));
    sql_committed(session, driver->refuse_status, &error);
}

/* ---- what the client sees -------------------------------------------------------------------- */

static void write_header(const struct sql_event *event, struct buffer *out)
{
    for (uint32_t i = 0; i < event->column_count; i++)
        buffer_printf(out, "%s%s %s", i ? " | " : "", event->columns[i].name,
                      type_name(event->columns[i].type));
    buffer_append_string(out, event->column_count ? "\n" : "(no columns)\n");
}

static void write_rows(const struct batch *batch, int32_t zone_s, struct buffer *out)
{
    for (uint32_t i = 0; i < batch->selected; i++) {
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct value value = vector_get(&batch->columns[c], batch_row(batch, i));
            buffer_append_string(out, c ? " | " : "");
            if (value.null)
                buffer_append_string(out, "NULL");
            else
                value_format_at(&value, zone_s, out);
        }
        buffer_append_string(out, "\n");
    }
}

static void write_error(const struct error *error, struct buffer *out)
{
    buffer_printf(out, "ERROR %s", error->sqlstate);
    if (error->position)
        buffer_printf(out, " at %u", error->position);
    buffer_printf(out, ": %s\n", error->message);
    if (error->detail[0])
        buffer_printf(out, "DETAIL: %s\n", error->detail);
    if (error->hint[0])
        buffer_printf(out, "HINT: %s\n", error->hint);
}

static void trace(const struct sql_event *event, struct buffer *out)
{
    switch (event->kind) {
    case SQL_EVENT_BEGIN:
        buffer_printf(out, "> begin%s%s%s attempt=%u\n", event->autocommit ? " autocommit" : "",
                      event->read_only ? " read_only" : "",
                      event->may_be_unconfirmed ? " may_be_unconfirmed" : "", event->attempt);
        break;
    case SQL_EVENT_EXECUTE:
        buffer_printf(out, "> execute%s\n", event->is_short ? " short" : "");
        break;
    case SQL_EVENT_HEADER:
        buffer_append_string(out, "> header\n");
        break;
    case SQL_EVENT_ROWS:
        buffer_printf(out, "> rows %u\n", event->batch->selected);
        break;
    case SQL_EVENT_COMMIT:
        buffer_printf(out, "> commit \"%s\"\n", event->tag);
        break;
    case SQL_EVENT_ROLLBACK:
        buffer_append_string(out, "> rollback\n");
        break;
    case SQL_EVENT_COMPLETE:
        buffer_printf(out, "> complete rows=%llu%s\n", (unsigned long long)event->rows,
                      event->more ? " more" : "");
        break;
    case SQL_EVENT_ERROR:
        buffer_append_string(out, "> error\n");
        break;
    case SQL_EVENT_DONE:
        buffer_append_string(out, "> done\n");
        break;
    }
}

void sql_driver_run(struct sql_driver *driver, struct sql_session *session, struct slice text,
                    const struct value *parameters, uint32_t parameter_count, struct buffer *out)
{
    struct sql_event event;
    sql_submit(session, text, parameters, parameter_count);
    do {
        sql_step(session, &event);
        if (driver->cancel_after && --driver->cancel_after == 0)
            sql_cancel(session);
        if (driver->trace)
            trace(&event, out);
        switch (event.kind) {
        case SQL_EVENT_BEGIN:
            answer_begin(driver, session, &event, out);
            break;
        case SQL_EVENT_COMMIT:
            answer_commit(driver, session, &event, out);
            break;
        case SQL_EVENT_ROLLBACK:
            store_memory_rollback(event.txn);
            break;
        case SQL_EVENT_HEADER:
            write_header(&event, out);
            break;
        case SQL_EVENT_ROWS:
            write_rows(event.batch, event.zone_s, out);
            break;
        case SQL_EVENT_COMPLETE:
            buffer_printf(out, "%s\n", event.tag);
            break;
        case SQL_EVENT_ERROR:
            write_error(&event.error, out);
            break;
        case SQL_EVENT_EXECUTE:
            if (driver->drop_after && --driver->drop_after == 0) {
                session_drop(session);
                buffer_append_string(out, "(dropped)\n");
                return;
            }
            break;
        case SQL_EVENT_DONE:
            break;
        }
    } while (event.kind != SQL_EVENT_DONE && event.kind != SQL_EVENT_ERROR);
}
