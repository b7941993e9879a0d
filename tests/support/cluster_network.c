/* The simulated network: copies a message, lets it take its time, and loses or doubles some. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cluster_int.h"

static uint8_t *bytes_copy(struct slice bytes)
{
    uint8_t *copy = mem_alloc(bytes.size);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

static struct cluster_letter *letter_make(const struct replica_message *message)
{
    struct cluster_letter *letter = mem_zalloc(1, sizeof *letter);
    letter->message = *message;
    letter->body = bytes_copy(message->body);
    letter->message.body = slice_make(letter->body, message->body.size);
    if (!message->raft)
        return letter;
    letter->raft = *message->raft;
    letter->message.raft = &letter->raft;
    uint32_t count = letter->raft.entry_count;
    letter->entries = mem_zalloc(count, sizeof *letter->entries);
    for (uint32_t i = 0; i < count; i++) {
        letter->entries[i] = message->raft->entries[i];
        struct slice data = letter->entries[i].data;
        letter->entries[i].data = slice_make(bytes_copy(data), data.size);
    }
    letter->raft.entries = letter->entries;
    return letter;
}

void cluster__letter_free(struct cluster_letter *letter)
{
    for (uint32_t i = 0; letter->entries && i < letter->raft.entry_count; i++)
        mem_free((void *)(uintptr_t)letter->entries[i].data.data);
    mem_free(letter->entries);
    mem_free(letter->body);
    mem_free(letter);
}

static void letter_trace(struct cluster *c, const char *what, const struct replica_message *m)
{
    if (m->raft)
        cluster_trace(c,
                      "%s %" PRIu64 "->%" PRIu64 " %s term=%" PRIu64 " log=%" PRIu64 "/%" PRIu64
                      " n=%u commit=%" PRIu64 " seq=%" PRIu64 "%s",
                      what, m->from, m->to, raft_message_type_name(m->raft->type), m->raft->term,
                      m->raft->log_index, m->raft->log_term, m->raft->entry_count, m->raft->commit,
                      m->raft->read_sequence, m->raft->reject ? " reject" : "");
    else
        cluster_trace(c,
                      "%s %" PRIu64 "->%" PRIu64 " %s id=%" PRIx64 " index=%" PRIu64
                      " version=%" PRIu64 " %s size=%zu",
                      what, m->from, m->to, replica_message_type_name(m->type), m->id, m->index,
                      m->version, status_name(m->status), m->body.size);
}

static uint64_t delay_draw(struct cluster *c)
{
    const struct cluster_config *config = &c->config;
    if (prng_chance(&c->prng, config->late_permille, 1000))
        return prng_between(&c->prng, config->delay_us_min, config->late_us);
    return prng_between(&c->prng, config->delay_us_min, config->delay_us_max);
}

bool cluster__reachable(void *context, uint64_t id)
{
    const struct cluster_node *node = context;
    const struct cluster *c = node->cluster;
    uint32_t to = (uint32_t)id - 1;
    return c->nodes[to].replica && !c->cut[node->number][to] && !c->cut[to][node->number];
}

bool cluster__send(void *context, const struct replica_message *message)
{
    struct cluster_node *node = context;
    struct cluster *c = node->cluster;
    ASSERT(message->to >= 1 && message->to <= c->config.nodes);
    if (node->goes_down)
        return false;
    if (c->config.hooks.sent)
        c->config.hooks.sent(c->config.hooks.context, node->number, message);
    uint32_t to = (uint32_t)message->to - 1;
    if (!cluster__reachable(node, message->to) && prng_chance(&c->prng, 1, 2)) {
        letter_trace(c, "held", message); /* it is known that there is no connection */
        c->dropped++;
        return false;
    }
    if (c->cut[node->number][to] || prng_chance(&c->prng, c->config.drop_permille, 1000)) {
        letter_trace(c, "lost", message);
        c->dropped++;
        return true;
    }
    /* Replica relies on commit messages to come once: replica_host. */
    bool twice = message->type < REPLICA_COMMIT_REQUEST &&
                 prng_chance(&c->prng, c->config.duplicate_permille, 1000);
    uint32_t copies = 1 + twice;
    for (uint32_t i = 0; i < copies; i++)
        cluster__event_push(c, (struct cluster_event){.time_us = c->now_us + delay_draw(c),
                                                      .kind = CLUSTER_DELIVER,
                                                      .node = to,
                                                      .letter = letter_make(message)});
    return true;
}

void cluster__deliver(struct cluster *c, struct cluster_letter *letter)
{
    struct cluster_node *node = &c->nodes[letter->message.to - 1];
    bool arrives =
        node->replica && !node->failed && !c->cut[letter->message.from - 1][node->number];
    letter_trace(c, arrives ? "recv" : "lost", &letter->message);
    if (arrives) {
        cluster__clock(node);
        replica_receive(node->replica, &letter->message);
        node->wakes = true;
    } else {
        c->dropped++;
    }
    cluster__letter_free(letter);
}

void cluster_cut(struct cluster *c, uint32_t from, uint32_t to, bool cut)
{
    ASSERT(from < c->config.nodes && to < c->config.nodes);
    c->cut[from][to] = cut;
}

bool cluster_is_cut(const struct cluster *c, uint32_t from, uint32_t to)
{
    ASSERT(from < c->config.nodes && to < c->config.nodes);
    return c->cut[from][to];
}

void cluster_heal(struct cluster *c)
{
    memset(c->cut, 0, sizeof c->cut);
}

void cluster_calm(struct cluster *c)
{
    cluster_heal(c);
    c->config.drop_permille = c->config.duplicate_permille = c->config.late_permille = 0;
    c->config.stall_permille = 0;
    for (uint32_t i = 0; i < c->config.nodes; i++)
        c->nodes[i].paused_until_us = c->nodes[i].log_slow_us = 0;
}

uint64_t cluster_dropped(const struct cluster *c)
{
    return c->dropped;
}
