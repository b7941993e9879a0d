#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

void fixture_init(struct fixture *fixture, const struct grpc_config *server,
                  const struct grpc_config *client, uint64_t seed, size_t piece_max)
{
    echo_service_init(&fixture->service, server);
    grpc_pipe_init(&fixture->pipe, fixture->service.server, client, seed, piece_max);
}

void fixture_free(struct fixture *fixture)
{
    grpc_pipe_free(&fixture->pipe);
    assert_int_equal(fixture->service.started, fixture->service.closed);
    assert_int_equal(fixture->pipe.client_status, OK);
    assert_int_equal(fixture->pipe.server_status, OK);
    echo_service_free(&fixture->service);
}

void fixture_assert(const struct call_log *log, enum grpc_status status, const char *message)
{
    assert_int_equal(log->closes, 1);
    assert_int_equal(log->status, status);
    assert_string_equal((const char *)log->status_message.data, message);
}
