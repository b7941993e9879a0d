#include "history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

static void fail_history(struct history *h, const char *what)
{
    if (h->failure == NULL) {
        h->failure = what;
        if (getenv("RAFT_QUIET") == NULL)
            fprintf(stderr, "# seed %" PRIu64 ": %s\n", h->seed, what);
    }
}

void history_require(struct history *h, bool holds, const char *what)
{
    if (!holds)
        fail_history(h, what);
}

static void vote_heard(struct history *h, uint64_t term, uint64_t voter, uint64_t candidate)
{
    ASSERT(term < TERMS_MAX);
    uint32_t *vote = &h->vote_of_term[term][voter - 1];
    history_require(h, *vote == 0 || *vote == candidate, "a node voted twice in one term");
    *vote = (uint32_t)candidate;
}

static void observe_sent(void *context, struct node *node, const struct raft_message *m)
{
    struct history *h = context;
    history_require(h, m->from == node->id && m->to != node->id, "message with a wrong sender");
    if (m->type == RAFT_VOTE)
        vote_heard(h, m->term, m->from, m->from);
    if (m->type == RAFT_VOTE_RESPONSE && !m->reject)
        vote_heard(h, m->term, m->from, m->to);
}

static void entry_seen(struct history *h, const struct raft_entry *e, uint64_t previous_term)
{
    uint64_t hash = slice_hash(e->data) ^ e->type;
    uint64_t at = (e->index * 31 + e->term * 7919) % (LOG_MAX * 2);
    while (h->known[at].index != 0 &&
           (h->known[at].index != e->index || h->known[at].term != e->term))
        at = (at + 1) % (LOG_MAX * 2);
    struct known_entry *k = &h->known[at];
    if (k->index == 0)
        *k = (struct known_entry){e->index, e->term, previous_term, hash};
    history_require(h, k->previous_term == previous_term && k->hash == hash,
                    "log matching is broken");
}

static void observe_bundle(void *context, struct node *node, const struct raft_ready *ready)
{
    struct history *h = context;
    uint64_t *terms = h->handed_terms[node->id - 1];
    for (uint32_t i = 0; i < ready->entry_count; i++) {
        const struct raft_entry *e = &ready->entries[i];
        ASSERT(e->index < LOG_MAX);
        entry_seen(h, e, terms[e->index - 1]);
        terms[e->index] = e->term;
    }
    for (uint32_t i = 0; i < ready->snapshot_count; i++)
        h->wanted[node->id - 1][ready->snapshots[i] - 1] = true;
    if (ready->has_hard_state && ready->entry_count > 0)
        history_require(h, ready->hard_state.commit <= ready->entries[ready->entry_count - 1].index,
                        "hard state commits more than is stored");
}

static void observe_applied(void *context, struct node *node, const struct raft_entry *e)
{
    struct history *h = context;
    uint64_t hash = slice_hash(e->data) ^ e->type;
    history_require(h, e->index <= h->committed && h->committed_term[e->index] == e->term,
                    "an entry was applied that is not committed");
    if (h->committed_hash[e->index] == 0)
        h->committed_hash[e->index] = hash;
    history_require(h, h->committed_hash[e->index] == hash, "state machines differ");
    (void)node;
}

static void observe_read(void *context, struct node *node, const struct raft_read_state *read)
{
    struct history *h = context;
    (void)node;
    ASSERT(read->context < h->reads);
    history_require(h, h->read_state[read->context] == 1, "a read was answered twice");
    h->read_state[read->context] = 2;
    if (read->status == OK) {
        history_require(h, read->index >= h->read_floor[read->context], "a read went back in time");
        h->reads_ok++;
    }
}

/* By the members that the node which says so goes by. */
static bool durable_at_majority(struct history *h, struct node *node, uint64_t index, uint64_t term)
{
    struct raft_members members;
    raft_members(node->raft, &members);
    uint32_t copies = 0, voters = 0;
    for (uint32_t i = 0; i < members.count; i++) {
        if (!members.items[i].voter)
            continue;
        const struct disk *disk = &cluster_node(&h->c, members.items[i].id)->disk;
        copies += disk->base >= index || disk_term_at(disk, index) == term;
        voters++;
    }
    return copies > voters / 2;
}

static void check_commits(struct history *h, struct node *node, const struct raft_status *s)
{
    uint64_t *seen = &h->commit_seen[node->id - 1];
    if (*seen < node->disk.base)
        *seen = node->disk.base; /* a state from elsewhere, or what was applied before a crash */
    for (uint64_t i = *seen + 1; i <= s->commit; i++) {
        uint64_t term = node_term(node, i);
        if (i > h->committed) {
            history_require(h, i == h->committed + 1, "commits skip an index");
            h->committed = i;
            h->committed_term[i] = term;
            history_require(h, durable_at_majority(h, node, i, term),
                            "an entry is committed that a majority does not hold on disk");
        }
        history_require(h, h->committed_term[i] == term, "two nodes commit different entries");
    }
    if (s->commit > *seen)
        *seen = s->commit;
}

static void check_leader(struct history *h, struct node *node, const struct raft_status *s)
{
    ASSERT(s->term < TERMS_MAX);
    uint32_t *leader = &h->leader_of_term[s->term];
    if (*leader == node->id)
        return;
    history_require(h, *leader == 0, "two leaders in one term");
    *leader = (uint32_t)node->id;
    h->elections++;
    h->new_leader = node->id;
    history_require(h, node->disk.base <= h->committed, "a state holds what is not committed");
    for (uint64_t i = node->disk.base + 1; i <= h->committed; i++)
        history_require(h, node_term(node, i) == h->committed_term[i],
                        "a new leader lacks a committed entry");
}

void history_check(struct history *h)
{
    for (uint32_t i = 0; i < h->c.count; i++) {
        struct node *node = &h->c.nodes[i];
        if (node->raft == NULL)
            continue;
        struct raft_status s;
        raft_status(node->raft, &s);
        check_commits(h, node, &s);
        if (s.role == RAFT_LEADER)
            check_leader(h, node, &s);
    }
}

void history_watch(struct history *h)
{
    h->c.observer = (struct cluster_observer){.context = h,
                                              .sent = observe_sent,
                                              .bundle = observe_bundle,
                                              .applied = observe_applied,
                                              .read = observe_read};
}
