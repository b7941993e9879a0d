/* A service for tests, on raw bytes as messages (no protobuf):
 *
 *   /Test/Unary      answers the message as it is
 *   /Test/Bidi       answers each message as it comes; finishes when the client has half-closed
 *   /Test/Count      message "N": answers N messages of 100 bytes, with back-pressure
 *   /Test/Sum        takes a stream, answers one message with the number of bytes it had
 *   /Test/Fail       message "CODE text": fails with them; "!CODE text" answers a message first
 *   /Test/Hang       never answers
 *   /Test/Metadata   answers the value of the header "x-test"
 *   /Test/Pause      a stream, paused from the start until echo_service_resume; then as Bidi */
#ifndef TESTS_UNIT_GRPC_ECHO_SERVICE_H
#define TESTS_UNIT_GRPC_ECHO_SERVICE_H

#include "grpc/grpc.h"

struct echo_service {
    struct grpc_server *server;
    struct grpc_call *paused; /* of /Test/Pause */
    unsigned started;
    unsigned closed;
    enum grpc_status last_close;
    uint64_t last_deadline_us;
    size_t queued_max; /* of /Test/Count */
};

void echo_service_init(struct echo_service *service, const struct grpc_config *config);
void echo_service_free(struct echo_service *service);

#endif
