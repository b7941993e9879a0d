/* What the tests of calls begin and end with: a service and a pipe to it. For programs with cmocka.
 */
#ifndef TESTS_UNIT_GRPC_FIXTURE_H
#define TESTS_UNIT_GRPC_FIXTURE_H

#include "echo_service.h"
#include "pipe.h"

struct fixture {
    struct echo_service service;
    struct grpc_pipe pipe;
};

/* Of the configurations NULL is the default. */
void fixture_init(struct fixture *fixture, const struct grpc_config *server,
                  const struct grpc_config *client, uint64_t seed, size_t piece_max);
/* Every call that was started must have ended, and neither side have met an error. */
void fixture_free(struct fixture *fixture);
/* The call has ended so. */
void fixture_assert(const struct call_log *log, enum grpc_status status, const char *message);

#endif
