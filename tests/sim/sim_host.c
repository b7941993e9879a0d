#include "sim_host.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "server/session_int.h"

struct sim_host {
    struct node node; /* only what sessions look at is filled */
    struct sim_host_events events;
    struct job *jobs, **jobs_last; /* steps that belong on a worker */
    struct sim_session *sessions;
};

struct sim_session {
    struct sim_host *host;
    struct session *session;
    struct sim_answer answer;
    void (*done)(void *context, const struct sim_answer *answer);
    void *context;
    struct sim_session *next, **link;
};

/* ---- the node as sessions know it ----------------------------------------------------------- */

static struct sim_host *host_of(struct node *node)
{
    return (struct sim_host *)node; /* its first member */
}

void node_wake(struct node *node)
{
    struct sim_host *host = host_of(node);
    host->events.wake(host->events.context);
}

bool node_turn_over(const struct node *node)
{
    (void)node;
    return false;
}

void node_sleep(struct node *node, struct sleeper *sleeper, uint64_t delay_us)
{
    struct sim_host *host = host_of(node);
    sleeper->wake_us = env_monotonic_us(node->env) + delay_us;
    sleeper->next = node->sleepers;
    node->sleepers = sleeper;
    host->events.wake_at(host->events.context, sleeper->wake_us);
}

void node_sleep_cancel(struct node *node, struct sleeper *sleeper)
{
    struct sleeper **at = &node->sleepers;
    while (*at != sleeper) {
        ASSERT(*at);
        at = &(*at)->next;
    }
    *at = sleeper->next;
}

static void sleepers_wake(struct sim_host *host)
{
    uint64_t now_us = env_monotonic_us(host->node.env);
    for (struct sleeper **at = &host->node.sleepers; *at;) {
        struct sleeper *sleeper = *at;
        if (sleeper->wake_us > now_us) {
            at = &sleeper->next;
            continue;
        }
        *at = sleeper->next;
        sleeper->wake(sleeper);
        at = &host->node.sleepers; /* it may have put others to sleep */
    }
}

/* A worker is as quick as the next turn. */
void job_submit(struct job_pool *pool, struct job *job)
{
    struct sim_host *host = (struct sim_host *)(void *)pool;
    job->next = NULL;
    *host->jobs_last = job;
    host->jobs_last = &job->next;
    node_wake(&host->node);
}

static bool jobs_run(struct sim_host *host)
{
    struct job *job = host->jobs;
    bool any = job != NULL;
    host->jobs = NULL;
    host->jobs_last = &host->jobs;
    while (job) {
        struct job *next = job->next;
        job->run(job);
        job->done(job);
        job = next;
    }
    return any;
}

/* ---- hosts ---------------------------------------------------------------------------------- */

struct sim_host *sim_host_create(struct env *env, struct replica *replica, uint64_t seed,
                                 uint64_t patience_us, const struct sim_host_events *events)
{
    struct sim_host *host = mem_zalloc(1, sizeof *host);
    host->events = *events;
    host->jobs_last = &host->jobs;
    struct node *node = &host->node;
    node->env = env;
    node->replica = replica;
    node->engine = sql_engine_create(env);
    node->workers = (struct job_pool *)(void *)host;
    node->runnable_last = &node->runnable;
    node->config.quorum_timeout_us = patience_us / 3;
    node->config.commit_timeout_us = patience_us;
    prng_seed(&node->prng, seed);
    node->incarnation = prng_next(&node->prng);
    return host;
}

bool sim_host_run(struct sim_host *host)
{
    sleepers_wake(host);
    bool any = jobs_run(host);
    return sessions_run(&host->node) || any;
}

void sim_host_destroy(struct sim_host *host)
{
    while (host->sessions)
        sim_session_close(host->sessions);
    while (jobs_run(host) || sessions_run(&host->node))
        continue;
    sessions_release(&host->node);
    ASSERT(host->node.session_count == 0 && !host->node.sleepers);
    sql_engine_destroy(host->node.engine);
    mem_free(host);
}

/* ---- sessions ------------------------------------------------------------------------------- */

static void on_header(void *context, const struct sql_column *columns, uint32_t count)
{
    (void)columns;
    struct sim_session *s = context;
    s->answer.columns = count;
}

static void on_rows(void *context, const struct batch *batch, int32_t zone_s)
{
    (void)zone_s;
    struct sim_session *s = context;
    s->answer.rows += batch->selected;
    for (uint32_t c = 0; batch->selected && c < batch->column_count && c < SIM_COLUMNS_MAX; c++) {
        struct value value = vector_get(&batch->columns[c], batch_row(batch, batch->selected - 1));
        s->answer.values[c] = value.null ? 0 : value.as.integer;
    }
}

static void on_complete(void *context, const char *tag, uint64_t rows, bool more,
                        uint64_t elapsed_us)
{
    (void)more;
    (void)elapsed_us;
    struct sim_session *s = context;
    snprintf(s->answer.tag, sizeof s->answer.tag, "%s", tag);
    s->answer.rows_changed = rows;
}

static void on_error(void *context, const struct error *error)
{
    struct sim_session *s = context;
    s->answer.failed = true;
    snprintf(s->answer.sqlstate, sizeof s->answer.sqlstate, "%.5s", error->sqlstate);
    snprintf(s->answer.message, sizeof s->answer.message, "%.199s", error->message);
}

static void on_done(void *context)
{
    struct sim_session *s = context;
    s->done(s->context, &s->answer);
}

static bool on_slow(void *context)
{
    (void)context;
    return false;
}

static void on_shutdown(void *context)
{
    (void)context;
}

static const struct session_sink sink = {.header = on_header,
                                         .rows = on_rows,
                                         .complete = on_complete,
                                         .error = on_error,
                                         .done = on_done,
                                         .slow = on_slow,
                                         .shutdown = on_shutdown};

struct sim_session *sim_session_open(struct sim_host *host,
                                     void (*done)(void *context, const struct sim_answer *answer),
                                     void *context)
{
    struct sim_session *s = mem_zalloc(1, sizeof *s);
    s->host = host;
    s->done = done;
    s->context = context;
    s->session = session_open(&host->node, &sink, s);
    ASSERT(s->session);
    s->next = host->sessions;
    s->link = &host->sessions;
    if (s->next)
        s->next->link = &s->next;
    host->sessions = s;
    return s;
}

void sim_session_close(struct sim_session *s)
{
    session_close(s->session);
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    mem_free(s);
}

static struct session_request request_make(struct sim_session *s, struct slice text,
                                           struct slice request_id, bool resent)
{
    s->answer = (struct sim_answer){0};
    return (struct session_request){.text = text, .id = request_id, .resent = resent};
}

void sim_session_submit(struct sim_session *s, struct slice text, struct slice request_id,
                        bool resent)
{
    struct session_request request = request_make(s, text, request_id, resent);
    session_submit(s->session, &request);
}

void sim_session_outcome(struct sim_session *s, struct slice request_id)
{
    struct session_request request = request_make(s, (struct slice){0}, request_id, true);
    session_outcome(s->session, &request);
}
