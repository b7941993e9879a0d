/* Status codes and errors.
 *
 * Functions that can fail return a status_t: 0 is success. A function at an edge that has
 * something to tell a person also fills a `struct error`, which carries the SQLSTATE, a primary
 * message (short, lower case, no period), an optional detail and hint (full sentences), and the
 * position in the statement text.
 *
 * A status marked DETERMINISTIC is a function of the replicated state and the input alone: every
 * replica meets it alike, so it is an answer. A status marked LOCAL depends on the machine; met
 * while a log entry is applied it would make replicas differ, so the replica must stop. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum status_kind { STATUS_DETERMINISTIC, STATUS_LOCAL };

/*  name, default SQLSTATE, kind, default message */
#define STATUS_CODES(X)                                                                            \
    X(OK, "00000", STATUS_DETERMINISTIC, "ok")                                                     \
    X(ERR_NOMEM, "53200", STATUS_LOCAL, "out of memory")                                           \
    X(ERR_IO, "58030", STATUS_LOCAL, "could not read or write a file")                             \
    X(ERR_DISK_FULL, "53100", STATUS_LOCAL, "disk is full")                                        \
    X(ERR_CORRUPT, "XX001", STATUS_LOCAL, "data is corrupt")                                       \
    X(ERR_FORMAT, "58030", STATUS_LOCAL, "file has a format this version cannot read")             \
    X(ERR_LOCKED, "55006", STATUS_LOCAL, "file is in use by another process")                      \
    X(ERR_NOT_FOUND, "02000", STATUS_DETERMINISTIC, "not found")                                   \
    X(ERR_EXISTS, "42710", STATUS_DETERMINISTIC, "already exists")                                 \
    X(ERR_TOO_LONG, "54000", STATUS_DETERMINISTIC, "value is too long")                            \
    X(ERR_INVALID, "22023", STATUS_DETERMINISTIC, "invalid argument")                              \
    X(ERR_PROTOCOL, "08P01", STATUS_DETERMINISTIC, "malformed message")                            \
    X(ERR_UNSUPPORTED, "0A000", STATUS_DETERMINISTIC, "not supported")                             \
    X(ERR_NOT_LEADER, "25006", STATUS_LOCAL, "this node is not the leader")                        \
    X(ERR_NO_QUORUM, "57P03", STATUS_LOCAL, "no quorum of nodes can be reached")                   \
    X(ERR_BUSY, "53000", STATUS_LOCAL, "too many requests are waiting")                            \
    X(ERR_CONFLICT, "40001", STATUS_DETERMINISTIC, "could not serialize access")                   \
    X(ERR_TOO_OLD, "40001", STATUS_DETERMINISTIC, "transaction is too old")                        \
    X(ERR_OUTCOME_UNKNOWN, "40003", STATUS_LOCAL, "outcome of the commit is not known yet")        \
    X(ERR_CANCELED, "57014", STATUS_LOCAL, "canceling statement due to user request")              \
    X(ERR_TIMEOUT, "57014", STATUS_LOCAL, "statement timed out")                                   \
    X(ERR_SHUTDOWN, "57P01", STATUS_LOCAL, "node is shutting down")                                \
    X(ERR_UNREACHABLE, "08001", STATUS_LOCAL, "could not connect")                                 \
    X(ERR_SQL, "XX000", STATUS_DETERMINISTIC, "statement failed")                                  \
    X(ERR_INTERNAL, "XX000", STATUS_LOCAL, "internal error")

#define STATUS_ENUM(name, sqlstate, kind, text) name,
typedef enum status { STATUS_CODES(STATUS_ENUM) STATUS_COUNT } status_t;
#undef STATUS_ENUM

const char *status_name(status_t status);
const char *status_text(status_t status);
const char *status_sqlstate(status_t status);
enum status_kind status_kind(status_t status);

/* What a person is told. Plain data, copied by assignment, owns nothing. Strings are always
 * NUL-terminated; longer texts are cut at a UTF-8 boundary. */
struct error {
    status_t status;
    char sqlstate[6];
    uint32_t position; /* 1-based character (not byte) in the statement text; 0: none */
    char message[384];
    char detail[256];
    char hint[256];
};

/* Fill `error` (which may be NULL) and return `status`, so that a failing function can end in
 * `return error_set(error, ERR_IO, "could not open \"%s\"", path);`. The SQLSTATE is the
 * status's own. */
status_t error_set(struct error *error, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with an SQLSTATE of its own and a position; returns ERR_SQL. */
status_t error_sql(struct error *error, const char *sqlstate, uint32_t position, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/* Add to an error already set. No effect when `error` is NULL. */
void error_detail(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void error_hint(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

void error_clear(struct error *error);

#endif
