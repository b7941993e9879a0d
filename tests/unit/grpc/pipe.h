/* Two connections back to back, without a network: bytes go over in pieces of random size. */
#ifndef TESTS_UNIT_GRPC_PIPE_H
#define TESTS_UNIT_GRPC_PIPE_H

#include "base/prng.h"
#include "grpc/grpc.h"

struct grpc_pipe {
    struct grpc_conn *client;
    struct grpc_conn *server;
    struct prng prng;
    size_t piece_max; /* 0: whole outputs */
    uint64_t now_us;
    status_t client_status; /* the first failure of grpc_conn_receive or _tick */
    status_t server_status;
};

void grpc_pipe_init(struct grpc_pipe *pipe, struct grpc_server *server,
                    const struct grpc_config *client_config, uint64_t seed, size_t piece_max);
void grpc_pipe_free(struct grpc_pipe *pipe);
/* Moves one piece each way; false when there was nothing to move. */
bool grpc_pipe_step(struct grpc_pipe *pipe);
/* Steps until nothing moves. */
void grpc_pipe_run(struct grpc_pipe *pipe);
/* Moves the clock and ticks both sides, then runs. */
void grpc_pipe_advance(struct grpc_pipe *pipe, uint64_t us);

/* What a client saw of a call. */
struct call_log {
    struct grpc_call *call; /* NULL once closed */
    struct buffer messages; /* their bytes, one after the other */
    unsigned message_count;
    unsigned closes;
    unsigned writables;
    enum grpc_status status;
    struct buffer status_message; /* NUL-terminated once closed */
};

extern const struct grpc_handlers call_log_handlers;

void call_log_start(struct call_log *log, struct grpc_conn *client, const char *path,
                    const struct grpc_call_options *options);
/* Starts, sends one message, half-closes. */
void call_log_unary(struct call_log *log, struct grpc_conn *client, const char *path,
                    struct slice message, const struct grpc_call_options *options);
void call_log_free(struct call_log *log);

#endif
