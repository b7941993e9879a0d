/* Clients, their progress, and the report. */
#include "bin/workload_int.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/text_int.h"

enum { COMPLAINTS_MAX = 10, SECOND_US = 1000000 };

void bin__workload_complain(struct bin__workload *workload, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    env_mutex_lock(workload->mutex);
    if (workload->complaints < COMPLAINTS_MAX) {
        fputs("toydb workload: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
    }
    if (++workload->complaints == COMPLAINTS_MAX)
        fputs("toydb workload: there is more of it that is not shown\n", stderr);
    env_mutex_unlock(workload->mutex);
    va_end(args);
}

/* ---- sessions ------------------------------------------------------------------------------- */

/* All addresses, beginning with the one at `first`. */
static struct toydb_session *session_open(struct bin__workload *workload, uint32_t first)
{
    struct buffer text = {0};
    struct toydb_error error;
    for (uint32_t i = 0; i < workload->address_count; i++)
        buffer_printf(&text, "%s%s", i ? "," : "",
                      workload->addresses[(first + i) % workload->address_count]);
    buffer_append_byte(&text, '\0');
    struct toydb_session *session = toydb_session_open((const char *)text.data, NULL, &error);
    if (!session)
        bin__connect_failed("toydb workload", (const char *)text.data, &error);
    buffer_free(&text);
    return session;
}

bool bin__workload_check_all(struct bin__workload *workload, bin__workload_check_fn *check,
                             uint32_t *checked)
{
    bool right = true;
    *checked = 0;
    for (uint32_t i = 0; i < workload->address_count; i++) {
        struct toydb_error error;
        const char *address = workload->addresses[i];
        struct toydb_session *session = toydb_session_open(address, NULL, &error);
        if (!session) {
            fprintf(stderr, "toydb workload: not verified there: %s\n", error.message);
            continue;
        }
        ++*checked;
        right = check(workload, session, address) && right;
        toydb_session_close(session);
    }
    return right && *checked > 0;
}

/* ---- clients -------------------------------------------------------------------------------- */

static bool is_over(const struct bin__workload *workload)
{
    uint64_t elapsed_us = env_monotonic_us(env_real()) - workload->begun_us;
    return atomic_load(&workload->stop) ||
           (workload->seconds && elapsed_us >= workload->seconds * SECOND_US);
}

static void client_run(void *argument)
{
    struct bin__client *client = argument;
    struct bin__workload *workload = client->workload;
    enum toydb_result result = TOYDB_OK;
    while (result != TOYDB_UNREACHABLE && !is_over(workload) &&
           atomic_fetch_add(&workload->taken, 1) < workload->operations) {
        struct toydb_error error;
        uint64_t begun_us = env_monotonic_us(env_real());
        result = workload->kind->operate(client, &error);
        if (result == TOYDB_OK) {
            bin__latency_add(&client->latency, env_monotonic_us(env_real()) - begun_us);
            atomic_fetch_add(&workload->done, 1);
        } else {
            atomic_fetch_add(&workload->errors, 1);
            bin__workload_complain(workload, "client %" PRIu32 ": %s (SQLSTATE %s)", client->index,
                                   error.message, error.sqlstate);
        }
    }
    env_mutex_lock(workload->mutex);
    workload->running--;
    env_cond_signal(workload->ended);
    env_mutex_unlock(workload->mutex);
}

static bool clients_start(struct bin__workload *workload)
{
    workload->clients = mem_zalloc(workload->client_count, sizeof *workload->clients);
    for (uint32_t i = 0; i < workload->client_count; i++) {
        struct bin__client *client = &workload->clients[i];
        client->workload = workload;
        client->index = i;
        client->session = session_open(workload, i % workload->address_count);
        if (!client->session)
            return false;
        uint64_t seed;
        env_random_bytes(env_real(), &seed, sizeof seed);
        prng_seed(&client->prng, seed);
    }
    workload->begun_us = env_monotonic_us(env_real());
    workload->running = workload->client_count;
    for (uint32_t i = 0; i < workload->client_count; i++)
        workload->clients[i].thread = env_thread_start("client", client_run, &workload->clients[i]);
    return true;
}

static void clients_free(struct bin__workload *workload)
{
    for (uint32_t i = 0; workload->clients && i < workload->client_count; i++) {
        toydb_session_close(workload->clients[i].session);
        mem_free(workload->clients[i].acknowledged);
    }
    mem_free(workload->clients);
}

/* ---- progress and report -------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL); /* a second one ends all */
}

static void progress_print(const struct bin__workload *workload, uint64_t second, uint64_t before)
{
    struct buffer text = {0};
    bin__count_text(&text, atomic_load(&workload->done) - before);
    printf("%5" PRIu64 " s %10.*s/s   errors %" PRIuFAST64 "   retries %" PRIuFAST64 "\n", second,
           (int)text.size, (const char *)text.data, atomic_load(&workload->errors),
           atomic_load(&workload->retries));
    fflush(stdout);
    buffer_free(&text);
}

/* A line each second until all clients have ended. */
static void watch(struct bin__workload *workload)
{
    uint64_t second = 0;
    uint64_t before = 0;
    env_mutex_lock(workload->mutex);
    while (workload->running) {
        uint64_t next_us = workload->begun_us + (second + 1) * SECOND_US;
        uint64_t now_us = env_monotonic_us(env_real());
        if (now_us < next_us) {
            bool woken = env_cond_wait_for(workload->ended, workload->mutex, next_us - now_us);
            MAYBE(woken);
            continue;
        }
        if (interrupted)
            atomic_store(&workload->stop, true);
        second++;
        uint64_t done = atomic_load(&workload->done);
        progress_print(workload, second, before);
        before = done;
    }
    env_mutex_unlock(workload->mutex);
}

static double milliseconds(uint64_t us)
{
    return (double)us / 1000;
}

static void report(struct bin__workload *workload, uint64_t elapsed_us)
{
    struct bin__latency all = {0};
    struct buffer text = {0};
    uint64_t done = atomic_load(&workload->done);
    for (uint32_t i = 0; i < workload->client_count; i++)
        bin__latency_merge(&all, &workload->clients[i].latency);
    buffer_append_byte(&text, '\n');
    bin__count_text(&text, done);
    buffer_printf(&text, " %s by %" PRIu32 " client%s in %.2f s: ", workload->kind->unit,
                  workload->client_count, workload->client_count == 1 ? "" : "s",
                  (double)elapsed_us / SECOND_US);
    bin__count_text(&text, elapsed_us ? done * SECOND_US / elapsed_us : 0);
    buffer_printf(&text, "/s, errors %" PRIuFAST64 ", retries %" PRIuFAST64 "\n",
                  atomic_load(&workload->errors), atomic_load(&workload->retries));
    buffer_printf(&text, "latency: p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, max %.2f ms\n",
                  milliseconds(bin__latency_percentile(&all, 50)),
                  milliseconds(bin__latency_percentile(&all, 90)),
                  milliseconds(bin__latency_percentile(&all, 99)), milliseconds(all.max_us));
    fwrite(text.data, 1, text.size, stdout);
    fflush(stdout);
    buffer_free(&text);
}

static int run_and_verify(struct bin__workload *workload)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    int result = sigaction(SIGINT, &action, NULL);
    ASSERT(result == 0);
    watch(workload);
    uint64_t elapsed_us = env_monotonic_us(env_real()) - workload->begun_us;
    for (uint32_t i = 0; i < workload->client_count; i++)
        env_thread_join(workload->clients[i].thread);
    report(workload, elapsed_us);
    bool right = workload->kind->verify(workload);
    if (!right)
        printf("verified: NO, see above\n");
    return right ? BIN__EXIT_OK : BIN__EXIT_FAILED;
}

int bin__workload_run(struct bin__workload *workload)
{
    ASSERT(workload->address_count > 0 && workload->client_count > 0);
    int code = BIN__EXIT_UNREACHABLE;
    workload->mutex = env_mutex_create();
    workload->ended = env_cond_create();
    struct toydb_session *session = session_open(workload, 0);
    if (session) {
        bool ready = workload->kind->setup(workload, session);
        toydb_session_close(session);
        code = ready ? BIN__EXIT_OK : BIN__EXIT_FAILED;
    }
    if (code == BIN__EXIT_OK)
        code = clients_start(workload) ? run_and_verify(workload) : BIN__EXIT_UNREACHABLE;
    clients_free(workload);
    env_cond_destroy(workload->ended);
    env_mutex_destroy(workload->mutex);
    return code;
}
