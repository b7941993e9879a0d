/* The log: a tail in memory over a body in storage.
 *
 *     index   first ....... offset-1 | offset ................................. last
 *             only in storage        | in memory, and in storage up to `persisted`
 *
 *     applied <= applying <= committed <= last        what the state machine got
 *     persisted <= handed <= last                     what the log thread got
 *     offset    <= persisted + 1                      what is not durable is in memory
 *
 * `committed` and `persisted` know nothing of each other: a majority of the others may have an
 * entry on disk before we have. It goes to the state machine from memory then; the storage is only
 * ever asked for what is below `offset`, thus durable.
 *
 * An index names an entry only together with a term: a follower's entries above `committed` may be
 * replaced (Figure 2, AppendEntries 3), also while the log thread still writes them. So three marks
 * move back in raft__log_truncate (last, handed, persisted), and the bytes of a replaced entry stay
 * until the bundles that point to them are durable (`dead`). Everything up to `committed` never
 * changes.
 *
 * Memory keeps what is not durable or not committed, because only memory has it or because the next
 * commit is about to need it, and of the rest the newest cached_bytes_max: followers a little
 * behind and the state machine are served without reading the disk. */
#include "raft/raft_int.h"

#include <string.h>

#include "base/mem.h"

uint64_t raft__log_last(const struct raft_log *log)
{
    return log->offset + log->count - 1;
}

size_t raft__entry_cost(const struct raft_entry *entry)
{
    return entry->data.size + sizeof *entry;
}

static struct raft_entry *log_at(const struct raft_log *log, uint64_t index)
{
    ASSERT(index >= log->offset);
    ASSERT(index <= raft__log_last(log));
    return &log->items[log->head + (uint32_t)(index - log->offset)];
}

status_t raft__log_init(struct raft_log *log, const struct raft_storage *storage, uint64_t commit,
                        uint64_t applied, size_t cached_bytes_max)
{
    ASSERT(storage->first_index && storage->last_index && storage->term && storage->entries);
    *log = (struct raft_log){.storage = *storage, .cached_bytes_max = cached_bytes_max};
    uint64_t first = storage->first_index(storage->context);
    uint64_t last = storage->last_index(storage->context);
    if (first == 0 || last > RAFT_INDEX_MAX || first > last + 1)
        return ERR_CORRUPT;
    if (applied > last || commit > last || first > applied + 1)
        return ERR_CORRUPT;
    log->offset = last + 1;
    log->handed = last;
    log->persisted = last;
    log->applied = applied;
    log->applying = applied;
    log->committed = commit > applied ? commit : applied;
    return raft__log_term(log, last, &log->last_term);
}

void raft__log_free(struct raft_log *log)
{
    for (uint32_t i = 0; i < log->count; i++)
        mem_free((void *)log->items[log->head + i].data.data);
    for (uint32_t i = 0; i < log->dead_count; i++)
        mem_free(log->dead[i].data);
    mem_free(log->items);
    mem_free(log->dead);
    *log = (struct raft_log){0};
}

status_t raft__log_term(const struct raft_log *log, uint64_t index, uint64_t *term)
{
    ASSERT(index <= raft__log_last(log));
    if (index == 0) {
        *term = 0;
        return OK;
    }
    if (index >= log->offset) {
        *term = log_at(log, index)->term;
        return OK;
    }
    return log->storage.term(log->storage.context, index, term);
}

/* Room for one more item: the space that evicted items left at the front is used before more. */
static void log_make_room(struct raft_log *log)
{
    if (log->head + log->count < log->capacity)
        return;
    if (log->head > log->capacity / 2) {
        memmove(log->items, log->items + log->head, log->count * sizeof *log->items);
        log->head = 0;
        return;
    }
    log->items =
        vec_grow(log->items, &log->capacity, log->head + log->count + 1, sizeof *log->items);
}

void raft__log_append(struct raft_log *log, const struct raft_entry *entry)
{
    ASSERT(entry->index == raft__log_last(log) + 1);
    ASSERT(entry->term >= log->last_term);
    log_make_room(log);
    struct raft_entry *item = &log->items[log->head + log->count];
    *item = *entry;
    item->data.data = NULL;
    if (entry->data.size > 0) {
        uint8_t *bytes = mem_alloc(entry->data.size);
        memcpy(bytes, entry->data.data, entry->data.size);
        item->data.data = bytes;
    }
    log->count++;
    log->last_term = entry->term;
    log->cached_bytes += raft__entry_cost(item);
    log->uncommitted_bytes += raft__entry_cost(item);
    log->undurable_bytes += raft__entry_cost(item);
}

/* The bytes left the log; someone may point to them until both marks are passed. */
static void log_release(struct raft_log *log, struct raft_entry *item, uint64_t sequence,
                        uint64_t applied)
{
    uint8_t *data = (uint8_t *)item->data.data;
    item->data = slice_make(NULL, 0);
    if (data == NULL)
        return;
    if (sequence == 0 && applied == 0) {
        mem_free(data);
        return;
    }
    log->dead = vec_grow(log->dead, &log->dead_capacity, log->dead_count + 1, sizeof *log->dead);
    log->dead[log->dead_count++] =
        (struct raft_dead){.data = data, .sequence = sequence, .applied = applied};
}

void raft__log_bury(struct raft_log *log, uint64_t sequence_persisted)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < log->dead_count; i++) {
        struct raft_dead *dead = &log->dead[i];
        if (dead->sequence <= sequence_persisted && dead->applied <= log->applied)
            mem_free(dead->data);
        else
            log->dead[kept++] = *dead;
    }
    log->dead_count = kept;
}

void raft__log_truncate(struct raft_log *log, uint64_t index, uint64_t previous_term,
                        uint64_t sequence)
{
    ASSERT(index > log->committed);
    ASSERT(index <= raft__log_last(log));
    while (log->count > 0 && raft__log_last(log) >= index) {
        struct raft_entry *item = log_at(log, raft__log_last(log));
        log->cached_bytes -= raft__entry_cost(item);
        log->uncommitted_bytes -= raft__entry_cost(item);
        if (item->index > log->persisted)
            log->undurable_bytes -= raft__entry_cost(item);
        log_release(log, item, item->index <= log->handed ? sequence : 0, 0);
        log->count--;
    }
    if (log->count == 0)
        log->offset = index;
    log->last_term = previous_term;
    if (log->handed >= index)
        log->handed = index - 1;
    if (log->persisted >= index)
        log->persisted = index - 1;
    ASSERT(raft__log_last(log) == index - 1);
    ASSERT(log->offset <= log->persisted + 1);
}

void raft__log_commit(struct raft_log *log, uint64_t index)
{
    ASSERT(index <= raft__log_last(log));
    ASSERT(index >= log->committed);
    uint64_t from = log->committed + 1;
    for (uint64_t i = from > log->offset ? from : log->offset; i <= index; i++)
        log->uncommitted_bytes -= raft__entry_cost(log_at(log, i));
    log->committed = index;
}

void raft__log_persisted(struct raft_log *log, uint64_t index)
{
    ASSERT(index >= log->persisted && index <= log->handed);
    ASSERT(log->offset <= log->persisted + 1);
    for (uint64_t i = log->persisted + 1; i <= index; i++)
        log->undurable_bytes -= raft__entry_cost(log_at(log, i));
    log->persisted = index;
}

void raft__log_restore(struct raft_log *log, uint64_t index, uint64_t term)
{
    ASSERT(index > log->committed);
    ASSERT(log->applied == log->applying);
    struct raft_log empty = {.storage = log->storage, .cached_bytes_max = log->cached_bytes_max};
    raft__log_free(log);
    *log = empty;
    log->offset = index + 1;
    log->last_term = term;
    log->handed = log->persisted = index;
    log->committed = log->applying = log->applied = index;
}

/* What a storage answers came from a disk: believe nothing that would break the order of the log.
 */
static status_t log_slice_stored(const struct raft_log *log, uint64_t low, uint64_t high,
                                 size_t max_bytes, struct arena *arena,
                                 const struct raft_entry **entries, uint32_t *count)
{
    struct raft_entry *read = NULL;
    uint32_t got = 0;
    status_t status =
        log->storage.entries(log->storage.context, low, high, max_bytes, arena, &read, &got);
    if (status != OK)
        return status;
    if (got == 0 || got > high - low)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < got; i++)
        if (read[i].index != low + i || read[i].term == 0)
            return ERR_CORRUPT;
    *entries = read;
    *count = got;
    return OK;
}

status_t raft__log_slice(const struct raft_log *log, uint64_t low, uint64_t high, size_t max_bytes,
                         struct arena *arena, const struct raft_entry **entries, uint32_t *count)
{
    ASSERT(low > 0 && low < high);
    ASSERT(high <= raft__log_last(log) + 1);
    if (low < log->offset)
        return log_slice_stored(log, low, high < log->offset ? high : log->offset, max_bytes, arena,
                                entries, count);
    const struct raft_entry *first = log_at(log, low);
    size_t bytes = first->data.size;
    uint32_t n = 1;
    while (low + n < high && bytes + first[n].data.size <= max_bytes)
        bytes += first[n++].data.size;
    *entries = first;
    *count = n;
    return OK;
}

void raft__log_evict(struct raft_log *log)
{
    while (log->count > 0 && log->cached_bytes > log->cached_bytes_max) {
        struct raft_entry *item = &log->items[log->head];
        if (item->index > log->persisted || item->index > log->committed)
            break;
        log->cached_bytes -= raft__entry_cost(item);
        bool in_batch = item->index <= log->applying && item->index > log->applied;
        log_release(log, item, 0, in_batch ? item->index : 0);
        log->head++;
        log->count--;
        log->offset++;
    }
    if (log->count == 0)
        log->head = 0;
}

status_t raft__log_find_term(const struct raft_log *log, uint64_t from, uint64_t low, uint64_t term,
                             uint64_t *index_out, uint64_t *term_out)
{
    ASSERT(from <= raft__log_last(log));
    ASSERT(low <= from);
    for (uint64_t index = from;; index--) {
        uint64_t found;
        status_t status = raft__log_term(log, index, &found);
        if (status != OK)
            return status;
        *index_out = index;
        *term_out = found;
        if (found <= term || index == low)
            return OK;
    }
}
