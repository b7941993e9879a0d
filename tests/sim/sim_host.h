/* What the server's sessions (src/server/session.c) need of their node, without sockets and
 * threads: so the real code between a client's statement and the replica runs in the simulator.
 *
 * Apart from sim.h, because the server and the simulated cluster each call something a cluster. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "base/bytes.h"
#include "env/env.h"
#include "replica/replica.h"

enum { SIM_COLUMNS_MAX = 2, SIM_SQLSTATE_SIZE = 6 };

/* What a client was sent for one text. */
struct sim_answer {
    bool failed;
    char sqlstate[SIM_SQLSTATE_SIZE]; /* failed */
    char message[200];                /* failed */
    char tag[64];                     /* of the last statement */
    uint64_t rows_changed;
    uint32_t rows, columns;          /* received */
    int64_t values[SIM_COLUMNS_MAX]; /* of the last row, integers; NULL is 0 */
};

struct sim_host_events {
    void *context;
    /* Something is to be done: sim_host_run soon. */
    void (*wake)(void *context);
    /* sim_host_run is wanted at that time of the node's clock, too. */
    void (*wake_at)(void *context, uint64_t time_us);
};

struct sim_host;
struct sim_host *sim_host_create(struct env *env, struct replica *replica, uint64_t seed,
                                 uint64_t patience_us, const struct sim_host_events *events);
/* Gives each session its turn. True when there was something to do: the replica wants a pump. */
bool sim_host_run(struct sim_host *host);
/* Sessions end as when the program dies; their clients are not told. */
void sim_host_destroy(struct sim_host *host);

struct sim_session;
/* `done` is called when a text has ended. */
struct sim_session *sim_session_open(struct sim_host *host,
                                     void (*done)(void *context, const struct sim_answer *answer),
                                     void *context);
/* The client is gone. */
void sim_session_close(struct sim_session *session);
void sim_session_submit(struct sim_session *session, struct slice text, struct slice request_id,
                        bool resent);
/* Asks what became of the transaction that the request was to commit. */
void sim_session_outcome(struct sim_session *session, struct slice request_id);

#endif
