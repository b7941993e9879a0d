/* The echo service on a loopback port, for clients that are not ours. Prints its port, serves until
 * standard input ends. */
#include <stdio.h>

#include "echo_service.h"
#include "poll_server.h"

int main(void)
{
    struct echo_service service;
    struct grpc_config config = {.message_size_max = 8 << 20};
    echo_service_init(&service, &config);
    struct poll_server poll_server;
    if (!poll_server_listen(&poll_server, service.server, 0))
        return 1;
    printf("%d\n", poll_server.port);
    fflush(stdout);
    poll_server_run(&poll_server, 0);
    echo_service_free(&service);
    return 0;
}
