#include "pipe.h"

#include "base/check.h"

void grpc_pipe_init(struct grpc_pipe *pipe, struct grpc_server *server,
                    const struct grpc_config *client_config, uint64_t seed, size_t piece_max)
{
    *pipe = (struct grpc_pipe){.piece_max = piece_max, .now_us = 1000000};
    prng_seed(&pipe->prng, seed);
    pipe->client = grpc_conn_create_client(client_config, pipe->now_us);
    pipe->server = grpc_conn_create_server(server, pipe->now_us);
}

void grpc_pipe_free(struct grpc_pipe *pipe)
{
    grpc_conn_destroy(pipe->client);
    grpc_conn_destroy(pipe->server);
}

static bool move_piece(struct grpc_pipe *pipe, struct grpc_conn *from, struct grpc_conn *to,
                       status_t *status)
{
    struct slice out = grpc_conn_output(from);
    if (out.size == 0)
        return false;
    if (pipe->piece_max && out.size > pipe->piece_max)
        out.size = (size_t)prng_between(&pipe->prng, 1, pipe->piece_max);
    status_t result = grpc_conn_receive(to, out, pipe->now_us);
    if (*status == OK)
        *status = result;
    grpc_conn_output_consume(from, out.size);
    return true;
}

bool grpc_pipe_step(struct grpc_pipe *pipe)
{
    bool moved = move_piece(pipe, pipe->client, pipe->server, &pipe->server_status);
    return move_piece(pipe, pipe->server, pipe->client, &pipe->client_status) || moved;
}

void grpc_pipe_run(struct grpc_pipe *pipe)
{
    while (grpc_pipe_step(pipe))
        ;
}

void grpc_pipe_advance(struct grpc_pipe *pipe, uint64_t us)
{
    pipe->now_us += us;
    status_t status = grpc_conn_tick(pipe->client, pipe->now_us);
    if (pipe->client_status == OK)
        pipe->client_status = status;
    status = grpc_conn_tick(pipe->server, pipe->now_us);
    if (pipe->server_status == OK)
        pipe->server_status = status;
    grpc_pipe_run(pipe);
}

static void log_message(struct grpc_call *call, struct slice message)
{
    struct call_log *log = grpc_call_user(call);
    log->message_count++;
    buffer_append_slice(&log->messages, message);
}

static void log_writable(struct grpc_call *call)
{
    struct call_log *log = grpc_call_user(call);
    log->writables++;
}

static void log_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    struct call_log *log = grpc_call_user(call);
    ASSERT(log->call == call);
    log->call = NULL;
    log->closes++;
    log->status = status;
    buffer_append_slice(&log->status_message, message);
    buffer_append_byte(&log->status_message, 0);
}

const struct grpc_handlers call_log_handlers = {
    .on_message = log_message, .on_writable = log_writable, .on_close = log_close};

void call_log_start(struct call_log *log, struct grpc_conn *client, const char *path,
                    const struct grpc_call_options *options)
{
    *log = (struct call_log){0};
    log->call = grpc_call_start(client, path, &call_log_handlers, log, options);
}

void call_log_unary(struct call_log *log, struct grpc_conn *client, const char *path,
                    struct slice message, const struct grpc_call_options *options)
{
    call_log_start(log, client, path, options);
    ASSERT(log->call);
    grpc_call_send(log->call, message);
    grpc_call_half_close(log->call);
}

void call_log_free(struct call_log *log)
{
    buffer_free(&log->messages);
    buffer_free(&log->status_message);
}
