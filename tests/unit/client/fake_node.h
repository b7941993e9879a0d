/* A node that has no database: it speaks protobuf/toydb.proto in a thread of its own, and does what
 * the text of a statement says, so that a test can bring about what it wants.
 *
 *   ROWS n          a result of n rows: integer i, text "row i"; in several messages
 *   ECHO            one row: the parameters
 *   BEGIN, COMMIT, ROLLBACK
 *   FAIL            error 42601 with all its fields; fails an open transaction
 *   HANG            nothing until it is cancelled, then 57014
 *   DEAF            nothing, and cancels are ignored
 *   DROP            the first time a request id is seen: closes the connection; then as ROWS 1
 *   DROP MINORITY   the same, but then error 57P03
 *   DROP ALWAYS     closes the connection
 *   DROP COMMIT     closes the connection; when asked for the outcome: committed
 *   DROP COMMIT ROLLED BACK, DROP COMMIT MINORITY  the same; rolled back, or not known
 *   DROP LATER      sends what was answered before, then closes the connection
 *   DROP AFTER      as ROWS 1, then closes the connection
 *   GOAWAY          as ROWS 1, and begins to shut the connection down
 *   STALE           an error for the request before, then as ROWS 1
 *   REFUSE          ends the stream with UNAUTHENTICATED
 *   GARBAGE         a message that is not one of protobuf/toydb.proto
 *   RAGGED          a row with fewer values than columns
 * Texts may be joined by semicolons.
 *
 * RemoveNode answers by the id: 1 to 5 refusals, 6 garbage, 7 once and 8 always nothing, for the
 * connection is closed; others are removed. */
#ifndef TESTS_UNIT_CLIENT_FAKE_NODE_H
#define TESTS_UNIT_CLIENT_FAKE_NODE_H

#include <stdatomic.h>

#include "env/env.h"
#include "poll_server.h"

struct fake_node {
    struct poll_server poll_server;
    struct grpc_server *server;
    struct env_thread *thread;
    int stop_fd;
    char address[32];
    atomic_uint sessions;  /* begun so far */
    atomic_uint requests;  /* executes received */
    atomic_uint resent;    /* of them, said to be sent again */
    atomic_uint cancels;   /* received */
    atomic_uint removals;  /* of id 7 */
    atomic_uint rows_sent; /* of ROWS */
    /* Of the last DROP; read them only while nothing runs. */
    uint8_t dropped_id[64];
    size_t dropped_id_size;
};

/* port 0: any. */
void fake_node_start(struct fake_node *node, uint16_t port);
void fake_node_stop(struct fake_node *node);

#endif
