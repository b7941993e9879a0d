/* `toydb workload`: clients that put load on a cluster, and the proof that it answered right.
 *
 *   workload.c         arguments, clients, progress, report
 *   workload_sql.c     statements with integers and texts for parameters
 *   workload_write.c   single inserts; each acknowledged row is there once
 *   workload_read.c    reads by primary key; each answer is right
 *   workload_bank.c    transfers in transactions; the total stays the same
 *
 * Each client is a thread with a session of its own; the addresses are dealt out to them in turn,
 * and each knows the others for when its node is lost. */
#ifndef BIN_WORKLOAD_INT_H
#define BIN_WORKLOAD_INT_H

#include <stdatomic.h>

#include "base/prng.h"
#include "bin/bin_int.h"
#include "bin/latency_int.h"

enum { BIN__ADDRESSES_MAX = 32, BIN__CLIENTS_MAX = 1000 };

struct bin__workload;
struct bin__client;

struct bin__workload_kind {
    const char *name;
    const char *unit; /* what one operation is, in the plural */
    /* False: said why on standard error. */
    bool (*setup)(struct bin__workload *workload, struct toydb_session *session);
    /* One operation, tried again after a conflict. TOYDB_UNREACHABLE ends the client. */
    enum toydb_result (*operate)(struct bin__client *client, struct toydb_error *error);
    /* After all clients have ended. True: prints what was verified; false: what is wrong. */
    bool (*verify)(struct bin__workload *workload);
};

struct bin__client {
    struct bin__workload *workload;
    struct toydb_session *session;
    struct env_thread *thread;
    struct prng prng;
    uint32_t index;
    struct bin__latency latency; /* its own until it has ended */
    uint8_t *acknowledged;       /* write: by number of the insert, from 0 */
    uint32_t insert_count;
    uint32_t insert_capacity;
};

struct bin__workload {
    const struct bin__workload_kind *kind;
    char *addresses[BIN__ADDRESSES_MAX];
    uint32_t address_count;
    uint32_t client_count;
    uint64_t operations; /* UINT64_MAX: until the time is over */
    uint64_t seconds;    /* 0: until the operations are done */
    uint64_t rows;
    struct bin__client *clients;
    uint64_t begun_us;

    atomic_uint_fast64_t taken;   /* operations begun */
    atomic_uint_fast64_t done;    /* that succeeded */
    atomic_uint_fast64_t errors;  /* that failed for good */
    atomic_uint_fast64_t retries; /* conflicts met and tried again */
    atomic_uint_fast64_t wrong;   /* answers that were not right */
    atomic_bool stop;

    struct env_mutex *mutex; /* for what is below and for printing */
    struct env_cond *ended;
    uint32_t running;
    uint32_t complaints; /* printed; there is an end to them */
};

extern const struct bin__workload_kind bin__workload_write;
extern const struct bin__workload_kind bin__workload_read;
extern const struct bin__workload_kind bin__workload_bank;

/* All of it: tables, load, report, verification. Returns an enum bin__exit. */
int bin__workload_run(struct bin__workload *workload);
/* Prints on standard error what went wrong, unless that was done often enough. */
void bin__workload_complain(struct bin__workload *workload, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For verify: calls `check` with a session on each address. False when one does not agree, or
 * none answers. *checked: how many did. */
typedef bool bin__workload_check_fn(struct bin__workload *workload, struct toydb_session *session,
                                    const char *address);
bool bin__workload_check_all(struct bin__workload *workload, bin__workload_check_fn *check,
                             uint32_t *checked);

/* ---- workload_sql.c ------------------------------------------------------------------------- */

static inline struct toydb_value bin__integer(int64_t integer)
{
    return (struct toydb_value){.type = TOYDB_INTEGER, .integer = integer};
}
struct toydb_value bin__text(const char *text);
/* Is it worth trying again? The transaction met a conflict and did nothing. */
bool bin__is_conflict(const struct toydb_error *error);
/* Without parameters, for setup; says on standard error what went wrong. */
bool bin__run(struct toydb_session *session, const char *sql);
/* The first row's first `count` columns, which must be integers. *found: is there a row? */
enum toydb_result bin__query_integers(struct toydb_session *session, const char *sql,
                                      const struct toydb_value *parameters, size_t parameter_count,
                                      int64_t *out, uint32_t count, bool *found,
                                      struct toydb_error *error);

#endif
