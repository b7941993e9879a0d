/* How the scripts beside this file write what happens in a cluster. */
#ifndef TESTS_RAFT_SHOW_H
#define TESTS_RAFT_SHOW_H

#include "base/bytes.h"
#include "raft_cluster.h"

/* 5/2 x: index/term and what it holds. */
void show_entry(struct buffer *out, const struct raft_entry *e);
/* One line: who says what to whom. */
void show_message(struct buffer *out, const struct raft_message *m);
/* Ids, learners in brackets: 1 2 3 (4). */
void show_members(struct buffer *out, const struct raft_members *members);
/* What the bundle says of leader, members and snapshots; what it gives the log, when `disk`; what
 * it has applied. */
void show_bundle(struct buffer *out, const struct node *node, const struct raft_ready *ready,
                 bool disk);
/* One line, and one for each follower of a leader. */
void show_status(struct buffer *out, const struct node *node);
void show_log(struct buffer *out, struct node *node);

#endif
