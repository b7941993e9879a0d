/* Inside of the bin room: two programs, each a main() of a few lines over the library below.
 *
 *   toydb.c          main: a table of commands, one file each: cmd_*.c
 *   toysql.c         main: the shell's arguments
 *   shell*.c         the shell (shell_int.h)
 *   output*.c text.c results and values as text (output_int.h, text_int.h)
 *   split.c          SQL text into statements (split_int.h)
 *   process.c        programs that a person named: editor, pager (process_int.h)
 *   lines.c          text line by line from a file, a string or standard input
 *   config.c         settings of `toydb start` from file, environment and flags
 *   status_view.c    a cluster's status as a table or JSON
 *   admin.c          what the commands that change the cluster share
 *   workload*.c      `toydb workload` (workload_int.h) */
#ifndef BIN_BIN_INT_H
#define BIN_BIN_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "bin/output_int.h"
#include "env/env.h"
#include "server/server.h"
#include "toydb/toydb.h"

/* What both programs end with; scripts rely on it. */
enum bin__exit {
    BIN__EXIT_OK = 0,
    BIN__EXIT_FAILED = 1,      /* an SQL error, or what was asked for did not work out */
    BIN__EXIT_UNREACHABLE = 2, /* cannot connect, or cannot get at the files */
    BIN__EXIT_USAGE = 64,
};

#define BIN__HOST_DEFAULT "localhost:9601"

/* ---- commands of toydb ---------------------------------------------------------------------- */

/* argv[0] is the command's name. Returns what the process ends with. */
int bin__start(int argc, char **argv);
int bin__cluster(int argc, char **argv);
int bin__status(int argc, char **argv);
int bin__workload(int argc, char **argv);
int bin__node(int argc, char **argv);
int bin__transfer_leader(int argc, char **argv);
int bin__check(int argc, char **argv);
int bin__recover(int argc, char **argv);
int bin__page(int argc, char **argv);
int bin__dump_log(int argc, char **argv);

/* Says on standard error what is wrong with the arguments and how to see the right ones; returns
 * BIN__EXIT_USAGE. `command`: "toysql" or "toydb start". */
int bin__usage_error(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What getopt_long gave is no option of the command: ':' or '?'. Says so; BIN__EXIT_USAGE. */
int bin__option_error(const char *command, int option, char **argv);
/* Behind the options nothing may follow. -1: nothing does; else it has said so. */
int bin__no_more_arguments(const char *command, int argc, char **argv);
/* Message, detail and hint on standard error. */
void bin__error_print(const char *command, const struct error *error);
/* A whole number in [low, high]; false when it is none. */
bool bin__number_parse(const char *text, uint64_t low, uint64_t high, uint64_t *out);
/* The -H default: TOYDB_HOST or BIN__HOST_DEFAULT. */
const char *bin__host_default(void);
/* Explains on standard error why no session could be had with `addresses`. Returns the exit code:
 * USAGE for malformed addresses, else UNREACHABLE. */
int bin__connect_failed(const char *program, const char *addresses,
                        const struct toydb_error *error);
/* Is standard output (1) or standard error (2) a terminal on which colours are wanted? The
 * environment variable NO_COLOR says no (no-color.org). */
bool bin__colour(int fd);
/* A bin__write_fn to standard output. */
bool bin__write_stdout(void *context, const void *data, size_t size);

/* ---- config.c ------------------------------------------------------------------------------- */

enum bin__setting {
    BIN__ID,
    BIN__DATA,
    BIN__LISTEN,
    BIN__ADVERTISE,
    BIN__PEERS,
    BIN__JOIN,
    BIN__LEARNER,
    BIN__DRAIN,
    BIN__QUORUM_TIMEOUT,
    BIN__READ_LEASE,
    BIN__LOG_KEEP,
    BIN__LOG_KEEP_MAX,
    BIN__SNAPSHOT_RATE,
    BIN__LOG_LEVEL,
    BIN__ENGINE,
    BIN__SETTINGS
};

/* Where a setting was given; a later place outdoes an earlier one. */
enum bin__origin { BIN__NOWHERE, BIN__FROM_FILE, BIN__FROM_ENVIRONMENT, BIN__FROM_FLAG };

struct bin__config {
    char *values[BIN__SETTINGS]; /* NULL: not given; owned */
    enum bin__origin origins[BIN__SETTINGS];
};

/* "id", "data", "listen" and so on. */
const char *bin__setting_name(enum bin__setting setting);
void bin__config_set(struct bin__config *config, enum bin__setting setting, enum bin__origin origin,
                     const char *value);
/* TOYDB_ID, TOYDB_DATA, ...; empty ones count as not given. */
void bin__config_environment(struct bin__config *config);
/* `key = value` lines; empty ones and those beginning with # are skipped. */
status_t bin__config_text(struct bin__config *config, const char *name, struct slice text,
                          struct error *error);
status_t bin__config_file(struct bin__config *config, const char *path, struct error *error);
/* Checks all of it and fills in defaults: id 1, listening on the address the peers have for it, or
 * 127.0.0.1:9601. ERR_INVALID names the setting and where it was given. */
status_t bin__config_resolve(const struct bin__config *config, struct server_config *out,
                             struct error *error);
void bin__config_free(struct bin__config *config);

/* ---- admin.c -------------------------------------------------------------------------------- */

enum { BIN__ADMIN_WORDS_MAX = 4 };

/* What the commands for administration take, each some of it. */
struct bin__admin {
    const char *command; /* "toydb node add" */
    const char *host;
    uint32_t timeout_ms;
    bool learner;                            /* --learner */
    bool cluster;                            /* --cluster */
    const char *data;                        /* --data; goes with it */
    const char *words[BIN__ADMIN_WORDS_MAX]; /* that are no options */
    uint32_t word_count;
    struct toydb_session *session;
};

/* Reads -H, --timeout, --help and, if allowed, --learner, or --cluster and --data, from argv[1] on.
 * -1: go on; else what to end with. */
int bin__admin_parse(struct bin__admin *admin, int argc, char **argv, const char *help,
                     bool takes_learner, bool takes_cluster);
/* Word number `at` must be a node's id. False: said so. */
bool bin__admin_id(const struct bin__admin *admin, uint32_t at, uint32_t *id);
/* Opens admin->session on one of the hosts; when that is lost any member is good enough. Returns an
 * enum bin__exit, and has said what went wrong. */
int bin__admin_open(struct bin__admin *admin);
/* Says on standard error what *error does, closes the session; returns what to end with. */
int bin__admin_end(struct bin__admin *admin, enum toydb_result result,
                   const struct toydb_error *error);

/* ---- files.c: commands that look at the files of a node ----------------------------------------
 */

/* DIR/NAME, the caller's to mem_free. */
char *bin__path(const char *dir, const char *name);
/* Says what the error does; returns what to end with: UNREACHABLE when the files could not be got
 * at, FAILED for damage. */
int bin__files_failed(const char *command, const char *dir, const struct error *error);

/* ---- status_view.c -------------------------------------------------------------------------- */

/* `leader_view`: the leader's own status, which alone tells how far the others are; may be NULL. */
void bin__status_table(struct bin__output *output, const struct toydb_status *status,
                       const struct toydb_status *leader_view);
/* The members only. */
void bin__nodes_table(struct bin__output *output, const struct toydb_status *status,
                      const struct toydb_status *leader_view);
void bin__status_json(struct buffer *out, const struct toydb_status *status,
                      const struct toydb_status *leader_view);
/* The status of the leader that `status` names, asked at its own address; NULL when it is the same
 * node, there is none, or it does not answer at once. To be freed by the caller. */
struct toydb_status *bin__status_leader(const struct toydb_status *status);

#endif
