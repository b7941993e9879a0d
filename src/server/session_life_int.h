/* What the files of a session share:
 *
 *   session.c         its life: steps, beginning transactions, the outside
 *   session_commit.c  committing, and what is kept of it for a request that is sent again
 *
 * Nobody else includes this. */
#ifndef SERVER_SESSION_LIFE_INT_H
#define SERVER_SESSION_LIFE_INT_H

#include "server/session_int.h"

/* A name under which transactions commit, used by one session at a time and then handed on, so that
 * the outcomes stored are as many as sessions at one time, not as transactions. */
struct origin {
    uint8_t bytes[17]; /* 'n', the process's random number, a serial number */
    uint64_t sequence; /* of the last commit */
    struct origin *next;
};

enum session_state_kind {
    SESSION_IDLE,
    SESSION_RUNNABLE,
    SESSION_BEGIN_WAIT,
    SESSION_WORKING,
    SESSION_COMMIT_WAIT,
    SESSION_OUTCOME_WAIT, /* no text runs: session_outcome */
    SESSION_BLOCKED,
    SESSION_BACKOFF,
};

enum { SESSION_TEXT_SHOWN = 256 };

_Static_assert(1 + REQUEST_ID_MAX <= TXN_ORIGIN_MAX, "a request id is an origin");

struct session {
    struct node *node;
    const struct session_sink *sink;
    void *context;
    struct sql_session *sql;
    enum session_state_kind state;
    bool closing;
    bool canceled;    /* the running text: it may say so to a slow client, too */
    bool queued;      /* in node->runnable */
    bool use_worker;  /* the running statement's steps belong on a worker */
    uint32_t batches; /* of rows, of the running statement */
    struct sql_event event;
    struct bound_txn *txn;
    struct bound_txn *held; /* the statement's, while txn is a chore's */
    struct replica_read read;
    struct replica_commit commit;
    struct origin *origin;
    uint8_t request_id[1 + REQUEST_ID_MAX]; /* 'r', then the client's bytes */
    uint32_t request_id_size;               /* 0: none */
    bool resent;                            /* the id came before, here or at another node */
    uint32_t request_commits;               /* transactions of this request that have committed */
    uint64_t statement_us;                  /* when the running statement began */
    /* For toydb_internal; times are monotonic. */
    uint64_t number;
    uint64_t opened_us;
    uint64_t txn_us;               /* when `txn` began */
    char text[SESSION_TEXT_SHOWN]; /* the beginning of the last text, with its NUL */
    struct sleeper sleeper;
    struct job job;
    struct session *next_runnable;
    struct session *next, **link; /* node->sessions */
};

/* ---- session.c ---- */

/* It has something to do in the next round. */
void session__ready(struct session *s);
void session__txn_drop(struct session *s);
void session__text_ended(struct session *s);

/* ---- session_commit.c ---- */

/* Begins the commit that the session's event asks for. */
void session__commit_begin(struct session *s);
/* session_outcome, once the request is taken over. */
void session__outcome_ask(struct session *s);
/* When this request was sent before and that sending got further than this one, the client gets
 * what it achieved and nothing is run. True: so it was, and the text has ended. */
bool session__outcome_report(struct session *s);
/* The statement's completion to the client: its own, or that of an earlier sending which was the
 * one that committed. */
void session__complete(struct session *s, uint64_t elapsed_us);
/* A session's origin is free for the next, or, with a commit whose outcome is open, never used
 * again. Without effect when it has none. */
void session__origin_give_back(struct session *s);
void session__origin_retire(struct session *s);

#endif
