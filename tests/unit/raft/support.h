/* What the unit tests of this room share: one cluster a test, made by the first call below and
 * freed by the teardown. One rule of the header is tested at a time; the stories are in
 * tests/golden/raft, random histories in test_raft_random.c. */
#ifndef TESTS_RAFT_SUPPORT_H
#define TESTS_RAFT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/raft_int.h"
#include "raft_cluster.h"

#define RAFT_TEST(function) cmocka_unit_test_teardown(function, cluster_teardown)

struct raft_config default_config(void);
/* `nodes` nodes, of which the first `voters` are the cluster. */
struct cluster *given_nodes(void **state, uint32_t nodes, uint32_t voters,
                            const struct raft_config *config);
/* A cluster of `nodes` in which node 1 leads term 1 and all is quiet. */
struct cluster *given_leader(void **state, uint32_t nodes, const struct raft_config *config);
int cluster_teardown(void **state);

/* Writes, sends and answers until nothing is left to do. */
void settle(struct cluster *c);
void drop_all(struct cluster *c);
struct raft_status status_of(const struct raft *r);
void propose(struct raft *r, const char *text);
/* As if `m` came from node `from`, in the receiver's term when m has none. */
status_t step_from(struct raft *r, uint64_t from, struct raft_message m);
/* Takes one bundle and gives it back at once; what it points to stays as the header says. */
struct raft_ready take(struct raft *r);
/* Members with ids 1 to `voters`, then `learners` more. */
struct raft_members members_upto(uint32_t voters, uint32_t learners);

#endif
