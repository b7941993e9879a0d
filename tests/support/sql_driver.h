/* Drives SQL sessions over a store in memory, one event after the other, and writes down what a
 * client would see. Answers to BEGIN and COMMIT can be bent, to tell the stories of conflicts and
 * of snapshots that were behind. */
#ifndef SUPPORT_SQL_DRIVER_H
#define SUPPORT_SQL_DRIVER_H

#include "sql/sql.h"
#include "sql/store/store.h"

enum { SQL_DRIVER_SESSIONS = 4 };

struct sql_driver {
    struct store_memory *store;
    struct sql_engine *engine;
    struct sql_session *sessions[SQL_DRIVER_SESSIONS]; /* made when first used */
    bool trace;                                        /* write down every event */
    uint64_t now_us;                                   /* of the next transaction */
    /* Answers still to be given: that many commits are refused so. */
    uint32_t refuse_commits;
    status_t refuse_status;
    uint32_t refuse_begins;
    /* What the next unconfirmed transaction sees instead of the newest state; NULL: that. */
    struct store_txn *stale;
    /* The session that runs is dropped when it has asked that often for EXECUTE; 0: not. */
    uint32_t drop_after;
    /* Run in a session of its own when that many chores have been committed; NULL: nothing. */
    const char *between;
    uint32_t between_after;
    /* Called whenever a chore has been committed; NULL: nothing. It may run texts in other
     * sessions, whose chores do not call it. */
    void (*meanwhile)(void *context);
    void *meanwhile_context;
    /* The text that runs is cancelled when it has made that many events; 0: not. */
    uint32_t cancel_after;
    /* That many transactions that may be unconfirmed are. */
    uint32_t unconfirmed;
};

void sql_driver_init(struct sql_driver *driver, struct env *env);
void sql_driver_free(struct sql_driver *driver);
struct sql_session *sql_driver_session(struct sql_driver *driver, uint32_t number);
/* Runs a text to its end. Appends rows, tags and errors. */
void sql_driver_run(struct sql_driver *driver, struct sql_session *session, struct slice text,
                    const struct value *parameters, uint32_t parameter_count, struct buffer *out);
/* Keeps the state as it is now for the next unconfirmed transaction. */
void sql_driver_keep_stale(struct sql_driver *driver);

#endif
