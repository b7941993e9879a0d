#include "raft_cluster.h"

#include <string.h>

#include "base/mem.h"
#include "raft/raft_int.h"

uint64_t disk_last_index(const struct disk *disk)
{
    return disk->base + disk->count;
}

uint64_t disk_term_at(const struct disk *disk, uint64_t index)
{
    if (index < disk->base || index > disk_last_index(disk))
        return 0;
    return index == disk->base ? disk->base_term : disk->entries[index - disk->base - 1].term;
}

static uint64_t disk_first(void *context)
{
    const struct disk *disk = context;
    return disk->base + 1;
}

static uint64_t disk_last(void *context)
{
    return disk_last_index(context);
}

static status_t disk_term(void *context, uint64_t index, uint64_t *term)
{
    const struct disk *disk = context;
    ASSERT(index <= disk_last_index(disk));
    *term = disk_term_at(disk, index);
    return index >= disk->base ? OK : ERR_NOT_FOUND;
}

static status_t disk_entries(void *context, uint64_t low, uint64_t high, size_t max_bytes,
                             struct arena *arena, struct raft_entry **entries, uint32_t *count)
{
    struct disk *disk = context;
    ASSERT(low >= 1 && low < high && high <= disk_last_index(disk) + 1);
    disk->reads++;
    if (low <= disk->base)
        return ERR_NOT_FOUND;
    struct raft_entry *out = arena_alloc(arena, (size_t)(high - low) * sizeof *out);
    size_t bytes = 0;
    *count = 0;
    for (uint64_t i = low; i < high; i++) {
        const struct raft_entry *e = &disk->entries[i - disk->base - 1];
        bytes += e->data.size;
        if (*count > 0 && bytes > max_bytes)
            break;
        out[*count] = *e;
        out[*count].data = arena_copy(arena, e->data);
        ++*count;
    }
    *entries = out;
    return OK;
}

static void disk_cut(struct disk *disk, uint64_t from)
{
    ASSERT(from > disk->base);
    while (disk_last_index(disk) >= from)
        mem_free((void *)disk->entries[--disk->count].data.data);
}

void disk_append(struct disk *disk, const struct raft_entry *entry)
{
    ASSERT(entry->index == disk_last_index(disk) + 1);
    disk->entries =
        vec_grow(disk->entries, &disk->capacity, disk->count + 1, sizeof *disk->entries);
    struct raft_entry *to = &disk->entries[disk->count++];
    *to = *entry;
    uint8_t *bytes = mem_alloc(entry->data.size + 1);
    if (entry->data.size > 0)
        memcpy(bytes, entry->data.data, entry->data.size);
    to->data.data = bytes;
}

static void disk_write(struct disk *disk, const struct raft_ready *ready)
{
    if (ready->entry_count > 0)
        disk_cut(disk, ready->entries[0].index);
    for (uint32_t i = 0; i < ready->entry_count; i++)
        disk_append(disk, &ready->entries[i]);
    if (ready->has_hard_state)
        disk->hard_state = ready->hard_state;
}

static void members_note(struct cluster *c, const struct raft_members *members)
{
    c->memberships = vec_grow(c->memberships, &c->membership_capacity, c->membership_count + 1,
                              sizeof *c->memberships);
    c->memberships[c->membership_count++] = *members;
}

const struct raft_members *cluster_members_at(const struct cluster *c, uint64_t index)
{
    uint32_t at = c->membership_count - 1;
    while (c->memberships[at].index > index)
        at--;
    return &c->memberships[at];
}

void cluster_init(struct cluster *c, uint32_t count, const struct raft_config *config,
                  uint64_t seed)
{
    cluster_init_some(c, count, count, config, seed);
}

void cluster_init_some(struct cluster *c, uint32_t count, uint32_t voters,
                       const struct raft_config *config, uint64_t seed)
{
    ASSERT(count > 0 && voters <= count && count <= CLUSTER_NODES_MAX);
    *c = (struct cluster){.count = count, .config = *config, .seed = seed, .ack_apply = true};
    struct raft_members members = {.count = voters};
    for (uint32_t i = 0; i < voters; i++)
        members.items[i] = (struct raft_member){.id = i + 1, .voter = true};
    members_note(c, &members);
    for (uint32_t i = 0; i < count; i++) {
        c->nodes[i].joins = i >= voters;
        c->nodes[i].cluster = c;
        c->nodes[i].id = i + 1;
    }
    for (uint32_t i = 0; i < count; i++)
        node_start(&c->nodes[i]);
}

void cluster_free(struct cluster *c)
{
    while (c->network_count > 0)
        cluster_drop(c, c->network_count - 1);
    mem_free(c->network);
    for (uint32_t i = 0; i < c->count; i++) {
        struct node *node = &c->nodes[i];
        raft_destroy(node->raft);
        disk_cut(&node->disk, node->disk.base + 1);
        mem_free(node->disk.entries);
        mem_free(node->bundles);
        mem_free(node->applied);
        mem_free(node->batches);
    }
    mem_free(c->memberships);
}

struct node *cluster_node(struct cluster *c, uint64_t id)
{
    ASSERT(id >= 1 && id <= c->count);
    return &c->nodes[id - 1];
}

void node_start(struct node *node)
{
    ASSERT(node->raft == NULL);
    struct raft_config config = node->cluster->config;
    config.id = node->id;
    config.seed = node->cluster->seed + 1000 * ++node->starts;
    config.applied = node->applied_count;
    config.members = *cluster_members_at(node->cluster, node->applied_count);
    if (node->joins && config.members.index == 0)
        config.members.count = 0;
    node->applied_acked = node->applied_count;
    struct raft_storage storage = {.context = &node->disk,
                                   .first_index = disk_first,
                                   .last_index = disk_last,
                                   .term = disk_term,
                                   .entries = disk_entries};
    status_t status = raft_create(&config, &storage, &node->disk.hard_state, &node->raft);
    ASSERT(status == OK);
}

void node_crash(struct node *node, uint32_t bundles_kept, uint32_t applied_kept)
{
    ASSERT(bundles_kept <= node->bundle_count);
    ASSERT(applied_kept <= node->applied_count);
    struct raft_status s;
    raft_status(node->raft, &s);
    if (applied_kept > s.persisted)
        applied_kept = (uint32_t)s.persisted;
    if (applied_kept < node->disk.base)
        applied_kept = (uint32_t)node->disk.base;
    for (uint32_t i = 0; i < bundles_kept; i++)
        disk_write(&node->disk, &node->bundles[i]);
    node->bundle_count = 0;
    node->batch_count = 0;
    node->applied_count = applied_kept;
    raft_destroy(node->raft);
    node->raft = NULL;
}

void node_tear(struct node *node, uint32_t bundles_kept, uint32_t entries)
{
    ASSERT(bundles_kept < node->bundle_count);
    struct raft_ready *torn = &node->bundles[bundles_kept];
    ASSERT(entries <= torn->entry_count);
    for (uint32_t i = 0; i < bundles_kept; i++)
        disk_write(&node->disk, &node->bundles[i]);
    if (torn->entry_count > 0)
        disk_cut(&node->disk, torn->entries[0].index);
    for (uint32_t i = 0; i < entries; i++)
        disk_append(&node->disk, &torn->entries[i]);
    node->bundle_count = 0;
}

static void network_push(struct cluster *c, const struct raft_message *m)
{
    struct parcel *parcel = mem_zalloc(1, sizeof *parcel);
    parcel->m = *m;
    if (m->entry_count > 0) {
        struct raft_entry *entries = arena_alloc(&parcel->arena, m->entry_count * sizeof *entries);
        for (uint32_t i = 0; i < m->entry_count; i++) {
            entries[i] = m->entries[i];
            entries[i].data = arena_copy(&parcel->arena, m->entries[i].data);
        }
        parcel->m.entries = entries;
    }
    c->network =
        vec_grow(c->network, &c->network_capacity, c->network_count + 1, sizeof *c->network);
    c->network[c->network_count++] = parcel;
}

static void node_send(struct node *node, const struct raft_message *messages, uint32_t count)
{
    struct cluster *c = node->cluster;
    for (uint32_t i = 0; i < count; i++) {
        if (c->observer.sent)
            c->observer.sent(c->observer.context, node, &messages[i]);
        network_push(c, &messages[i]);
    }
}

static void members_apply(struct cluster *c, const struct raft_entry *e)
{
    if (e->type != RAFT_ENTRY_MEMBERS || e->index <= c->memberships[c->membership_count - 1].index)
        return;
    struct raft_members members;
    status_t status = raft_members_decode(e->data, &members);
    ASSERT(status == OK);
    members.index = e->index;
    members_note(c, &members);
}

static void node_apply(struct node *node, const struct raft_ready *ready)
{
    struct cluster *c = node->cluster;
    if (ready->committed_count > 0) {
        node->batches = vec_grow(node->batches, &node->batch_capacity, node->batch_count + 1,
                                 sizeof *node->batches);
        node->batches[node->batch_count++] = *ready;
    }
    for (uint32_t i = 0; i < ready->committed_count; i++) {
        const struct raft_entry *e = &ready->committed[i];
        ASSERT(e->index == (uint64_t)node->applied_count + 1);
        node->applied = vec_grow(node->applied, &node->applied_capacity, node->applied_count + 1,
                                 sizeof *node->applied);
        node->applied[node->applied_count++] =
            (struct applied_entry){.index = e->index, .term = e->term, .hash = slice_hash(e->data)};
        if (c->observer.applied)
            c->observer.applied(c->observer.context, node, e);
        members_apply(c, e);
    }
}

void node_pump(struct node *node)
{
    struct cluster *c = node->cluster;
    while (node->raft && raft_has_ready(node->raft)) {
        struct raft_ready ready;
        status_t status = raft_ready(node->raft, &ready);
        ASSERT(status == OK);
        if (c->observer.bundle)
            c->observer.bundle(c->observer.context, node, &ready);
        node_send(node, ready.messages, ready.message_count);
        if (ready.sequence != 0) {
            node->bundles = vec_grow(node->bundles, &node->bundle_capacity, node->bundle_count + 1,
                                     sizeof *node->bundles);
            node->bundles[node->bundle_count++] = ready;
            if (c->break_ack_early)
                node_send(node, ready.messages_after_persist, ready.messages_after_persist_count);
        }
        node_apply(node, &ready);
        for (uint32_t i = 0; i < ready.read_count; i++)
            if (c->observer.read)
                c->observer.read(c->observer.context, node, &ready.reads[i]);
        raft_advance(node->raft);
        if (c->ack_apply)
            node_ack_applied(node);
    }
}

void node_ack_applied(struct node *node)
{
    ASSERT(node->applied_acked <= node->applied_count);
    if (node->applied_acked == node->applied_count)
        return;
    for (uint32_t i = 0; i < node->batch_count; i++)
        for (uint32_t k = 0; k < node->batches[i].committed_count; k++) {
            const struct raft_entry *e = &node->batches[i].committed[k];
            ASSERT(node->applied[e->index - 1].hash == slice_hash(e->data));
        }
    node->batch_count = 0;
    node->applied_acked = node->applied_count;
    raft_applied(node->raft, node->applied_acked);
}

bool node_persist(struct node *node)
{
    if (node->raft == NULL || node->bundle_count == 0)
        return false;
    struct raft_ready ready = node->bundles[0];
    node->bundle_count--;
    memmove(node->bundles, node->bundles + 1, node->bundle_count * sizeof *node->bundles);
    disk_write(&node->disk, &ready);
    if (!node->cluster->break_ack_early)
        node_send(node, ready.messages_after_persist, ready.messages_after_persist_count);
    raft_persisted(node->raft, ready.sequence);
    return true;
}

static struct parcel *network_take(struct cluster *c, uint32_t at)
{
    ASSERT(at < c->network_count);
    struct parcel *parcel = c->network[at];
    c->network_count--;
    memmove(c->network + at, c->network + at + 1, (c->network_count - at) * sizeof *c->network);
    return parcel;
}

static void parcel_free(struct parcel *parcel)
{
    arena_free(&parcel->arena);
    mem_free(parcel);
}

status_t cluster_deliver(struct cluster *c, uint32_t at)
{
    struct parcel *parcel = network_take(c, at);
    struct node *node = parcel->m.to <= c->count ? cluster_node(c, parcel->m.to) : NULL;
    status_t status = node && node->raft ? raft_step(node->raft, &parcel->m) : OK;
    parcel_free(parcel);
    return status;
}

void cluster_drop(struct cluster *c, uint32_t at)
{
    parcel_free(network_take(c, at));
}

void cluster_duplicate(struct cluster *c, uint32_t at)
{
    ASSERT(at < c->network_count);
    network_push(c, &c->network[at]->m);
}

void node_compact(struct node *node, uint64_t index)
{
    struct disk *disk = &node->disk;
    struct raft_status s;
    raft_status(node->raft, &s);
    ASSERT(index >= disk->base && index <= s.applied && index <= s.persisted);
    uint32_t count = (uint32_t)(index - disk->base);
    disk->base_term = disk_term_at(disk, index);
    disk->base = index;
    for (uint32_t i = 0; i < count; i++)
        mem_free((void *)disk->entries[i].data.data);
    disk->count -= count;
    memmove(disk->entries, disk->entries + count, disk->count * sizeof *disk->entries);
}

/* The state is durable when raft hears of it; the log is not cut yet then, but recovery would do
 * it, for the state's place is not in it. So cutting it here is the same. */
status_t node_restore(struct node *node, const struct node *from)
{
    struct raft_status s;
    raft_status(from->raft, &s);
    uint32_t index = (uint32_t)(s.applied < s.persisted ? s.applied : s.persisted);
    ASSERT(index <= from->applied_count);
    if (!raft_idle(node->raft))
        return ERR_BUSY;
    uint64_t term = index > 0 ? from->applied[index - 1].term : 0;
    const struct raft_members *members = cluster_members_at(node->cluster, index);
    status_t status = raft_restore(node->raft, index, term, members);
    if (status != OK)
        return status;
    disk_cut(&node->disk, node->disk.base + 1);
    node->disk.base = index;
    node->disk.base_term = term;
    node->applied = vec_grow(node->applied, &node->applied_capacity, index, sizeof *node->applied);
    memcpy(node->applied, from->applied, index * sizeof *node->applied);
    node->applied_count = node->applied_acked = index;
    return OK;
}

uint64_t node_term(struct node *node, uint64_t index)
{
    uint64_t term = 0;
    if (node->raft == NULL || index > raft__log_last(&node->raft->log))
        return 0;
    status_t status = raft__log_term(&node->raft->log, index, &term);
    ASSERT(status == OK || (status == ERR_NOT_FOUND && index < node->disk.base));
    return status == OK ? term : 0;
}
