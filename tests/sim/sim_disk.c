/* Disks: failing calls, no space, slow syncs, and bits that flip while a node is down.
 *
 * THE BUDGET. A flipped bit may cost a node for good: it must refuse to start, or stop when it
 * meets the damage, and never answer with what is not so. So a run flips bits on fewer than half of
 * its nodes, and those that stopped stay out; the others, with all they ever promised, must go on.
 *
 * One place is left alone: the last batch of the log. Damage there cannot be told from a write that
 * a crash cut off (wal_scan.c says so), which does not count, and with it a promise. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sim.h"
#include "wal/wal_int.h"

enum { FILES_MAX = 64, PATH_SIZE = 64 };

#define TREE_PATH "/node/data.toydb"
#define LOG_DIR   "/node/log"

void sim_disk_trouble(struct sim *sim, uint32_t node)
{
    struct env_sim *machine = cluster_machine(sim->cluster, node);
    static const enum env_sim_call calls[] = {ENV_SIM_WRITE, ENV_SIM_SYNC, ENV_SIM_PREALLOCATE};
    uint64_t lot = prng_below(&sim->prng, 5);
    if (lot < 3) {
        cluster_note(sim->cluster, "disk %u fails, call %u", node + 1, (unsigned)calls[lot]);
        env_sim_fail_after(machine, calls[lot], prng_below(&sim->prng, 10));
        sim->injected[node] = true;
    } else if (lot == 3) {
        cluster_note(sim->cluster, "disk %u is full", node + 1);
        env_sim_set_capacity(machine, env_sim_disk_used(machine) + prng_below(&sim->prng, 200000));
    } else {
        cluster_note(sim->cluster, "disk %u has room", node + 1);
        env_sim_set_capacity(machine, 0);
    }
}

/* Single syncs of 440 ms were measured on real disks that had nothing else to do. */
void sim_disk_slow(struct sim *sim, uint32_t node)
{
    static const uint64_t slow_us[] = {0, 0, 20000, 440000, 440000, 2000000};
    cluster_set_log_slow_us(sim->cluster, node, slow_us[prng_below(&sim->prng, 6)]);
}

/* ---- flipped bits --------------------------------------------------------------------------- */

struct files {
    char newest[PATH_SIZE];
    char paths[FILES_MAX][PATH_SIZE];
    uint32_t count;
};

static void file_note(void *context, const char *name)
{
    struct files *files = context;
    uint64_t sequence;
    if (!wal__file_name_parse(name, &sequence) || files->count == FILES_MAX)
        return;
    char *path = files->paths[files->count++];
    snprintf(path, PATH_SIZE, LOG_DIR "/%s", name);
    if (strcmp(path, files->newest) > 0)
        memcpy(files->newest, path, PATH_SIZE);
}

/* Bytes of the file, for mem_free; NULL when it cannot be read. */
static uint8_t *file_read(struct env *env, const char *path, uint64_t *size)
{
    struct env_file *file;
    struct error error;
    uint8_t *bytes = NULL;
    size_t got = 0;
    if (env_file_open(env, path, ENV_OPEN_READ_ONLY, &file, &error) != OK)
        return NULL;
    if (env_file_size(file, size, &error) == OK) {
        bytes = mem_zalloc(1, (size_t)*size + 1);
        if (env_file_read(file, 0, bytes, (size_t)*size, &got, &error) != OK || got != *size) {
            mem_free(bytes);
            bytes = NULL;
        }
    }
    env_file_close(file);
    return bytes;
}

/* Where the last batch of a log file begins. Bytes before it were durable when it was written. */
static uint64_t last_batch(struct slice bytes)
{
    struct wal__file_header header;
    struct wal__scan scan;
    struct wal__record record;
    uint64_t batch = 0;
    uint32_t version;
    if (wal__file_header_decode(bytes, &header, &version) != WAL__HEADER_OK)
        return 0;
    wal__scan_init(&scan, bytes, &header);
    while (wal__scan_next(&scan, &record))
        batch = record.batch;
    return batch;
}

/* Mostly one where something is written: files are long before they are full. */
static uint64_t written_byte(struct sim *sim, const uint8_t *bytes, uint64_t size)
{
    uint64_t written = 0, at = 0;
    for (uint64_t i = 0; i < size; i++)
        written += bytes[i] != 0;
    if (written == 0 || prng_chance(&sim->prng, 1, 16))
        return prng_below(&sim->prng, size);
    for (uint64_t left = prng_below(&sim->prng, written) + 1; left > 0; at++)
        left -= bytes[at] != 0;
    return at - 1;
}

/* A place in the log where damage cannot pass for a torn write; false when there is none. */
static bool log_place(struct sim *sim, uint32_t node, char path[PATH_SIZE], uint64_t *offset)
{
    struct env *env = env_sim_env(cluster_machine(sim->cluster, node));
    struct files files = {0};
    struct error error;
    if (env_dir_list(env, LOG_DIR, file_note, &files, &error) != OK || files.count == 0)
        return false;
    memcpy(path, files.paths[prng_below(&sim->prng, files.count)], PATH_SIZE);
    uint64_t size;
    uint8_t *bytes = file_read(env, path, &size);
    if (!bytes)
        return false;
    uint64_t end = size;
    if (strcmp(path, files.newest) == 0)
        end = last_batch(slice_make(bytes, (size_t)size));
    if (end > 0)
        *offset = written_byte(sim, bytes, end);
    mem_free(bytes);
    return end > 0;
}

static bool tree_place(struct sim *sim, uint32_t node, char path[PATH_SIZE], uint64_t *offset)
{
    uint64_t size;
    snprintf(path, PATH_SIZE, TREE_PATH);
    uint8_t *bytes = file_read(env_sim_env(cluster_machine(sim->cluster, node)), path, &size);
    if (!bytes)
        return false;
    if (size > 0)
        *offset = written_byte(sim, bytes, size);
    mem_free(bytes);
    return size > 0;
}

void sim_disk_flip(struct sim *sim, uint32_t node)
{
    ASSERT(!cluster_replica(sim->cluster, node));
    if (!sim_is_member(sim, node) || !sim_within_budget(sim, (int)node, -1))
        return;
    char path[PATH_SIZE];
    uint64_t offset = 0;
    bool found = prng_chance(&sim->prng, 1, 2) ? log_place(sim, node, path, &offset)
                                               : tree_place(sim, node, path, &offset);
    if (!found)
        return;
    unsigned bit = (unsigned)prng_below(&sim->prng, 8);
    cluster_note(sim->cluster, "a bit flips on disk %u: %s, byte %" PRIu64 ", bit %u", node + 1,
                 path, offset, bit);
    env_sim_flip_bit(cluster_machine(sim->cluster, node), path, offset, bit);
    if (sim->damage[node] == SIM_WHOLE)
        sim->damage[node] = SIM_FLIPPED;
    sim->flips++;
}

bool sim_disk_met_damage(struct sim *sim, uint32_t node, const struct error *error)
{
    if (sim->damage[node] == SIM_WHOLE)
        return false;
    if (sim->damage[node] == SIM_FLIPPED) {
        cluster_note(sim->cluster, "node %u met the damage: %s", node + 1, error->message);
        sim->damage[node] = SIM_LOST;
        sim->flips_found++;
    }
    return true;
}
