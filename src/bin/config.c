/* Settings of `toydb start`: flag over environment over file. Each is kept as text with the place
 * it came from, so that a wrong one can be named with its place. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/bin_int.h"

enum { CONFIG_FILE_BYTES_MAX = 1 << 20, SIZE_MIB_MAX = 1 << 20 };

static const struct {
    const char *name;
    const char *variable;
} settings[BIN__SETTINGS] = {
    [BIN__ID] = {"id", "TOYDB_ID"},
    [BIN__DATA] = {"data", "TOYDB_DATA"},
    [BIN__LISTEN] = {"listen", "TOYDB_LISTEN"},
    [BIN__ADVERTISE] = {"advertise", "TOYDB_ADVERTISE"},
    [BIN__PEERS] = {"peers", "TOYDB_PEERS"},
    [BIN__JOIN] = {"join", "TOYDB_JOIN"},
    [BIN__LEARNER] = {"learner", "TOYDB_LEARNER"},
    [BIN__DRAIN] = {"drain", "TOYDB_DRAIN"},
    [BIN__QUORUM_TIMEOUT] = {"quorum-timeout", "TOYDB_QUORUM_TIMEOUT"},
    [BIN__READ_LEASE] = {"read-lease", "TOYDB_READ_LEASE"},
    [BIN__LOG_KEEP] = {"log-keep", "TOYDB_LOG_KEEP"},
    [BIN__LOG_KEEP_MAX] = {"log-keep-max", "TOYDB_LOG_KEEP_MAX"},
    [BIN__SNAPSHOT_RATE] = {"snapshot-rate", "TOYDB_SNAPSHOT_RATE"},
    [BIN__LOG_LEVEL] = {"log-level", "TOYDB_LOG_LEVEL"},
    [BIN__ENGINE] = {"engine", "TOYDB_ENGINE"},
};

const char *bin__setting_name(enum bin__setting setting)
{
    ASSERT(setting < BIN__SETTINGS);
    return settings[setting].name;
}

static void set_sized(struct bin__config *config, enum bin__setting setting,
                      enum bin__origin origin, struct slice value)
{
    ASSERT(setting < BIN__SETTINGS && origin != BIN__NOWHERE);
    if (origin < config->origins[setting])
        return;
    mem_free(config->values[setting]);
    config->values[setting] = mem_strndup((const char *)value.data, value.size);
    config->origins[setting] = origin;
}

void bin__config_set(struct bin__config *config, enum bin__setting setting, enum bin__origin origin,
                     const char *value)
{
    set_sized(config, setting, origin, slice_from_string(value));
}

void bin__config_environment(struct bin__config *config)
{
    for (int i = 0; i < BIN__SETTINGS; i++) {
        const char *value = getenv(settings[i].variable);
        if (value && *value)
            bin__config_set(config, (enum bin__setting)i, BIN__FROM_ENVIRONMENT, value);
    }
}

/* ---- the file ------------------------------------------------------------------------------- */

static struct slice trim(struct slice text)
{
    while (text.size && strchr(" \t\r", text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size && strchr(" \t\r", text.data[text.size - 1]))
        text.size--;
    return text;
}

/* The same word with - for _, as either is written in such files. */
static bool is_name(struct slice text, const char *name)
{
    if (text.size != strlen(name))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] == '_' ? '-' : text.data[i]) != name[i])
            return false;
    return true;
}

static status_t take_line(struct bin__config *config, struct slice line, struct error *error)
{
    line = trim(line);
    if (line.size == 0 || line.data[0] == '#')
        return OK;
    const uint8_t *equals = memchr(line.data, '=', line.size);
    if (!equals)
        return error_set(error, ERR_INVALID, "\"%.*s\" is not of the form key = value",
                         line.size > 60 ? 60 : (int)line.size, (const char *)line.data);
    struct slice key = trim(slice_make(line.data, (size_t)(equals - line.data)));
    struct slice value = trim(slice_make(equals + 1, (size_t)(line.data + line.size - equals) - 1));
    if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"')
        value = slice_make(value.data + 1, value.size - 2);
    if (memchr(value.data, '\0', value.size))
        return error_set(error, ERR_INVALID, "there is a NUL in it");
    for (int i = 0; i < BIN__SETTINGS; i++)
        if (is_name(key, settings[i].name)) {
            set_sized(config, (enum bin__setting)i, BIN__FROM_FILE, value);
            return OK;
        }
    return error_set(error, ERR_INVALID, "there is no setting \"%.*s\"",
                     key.size > 60 ? 60 : (int)key.size, (const char *)key.data);
}

status_t bin__config_text(struct bin__config *config, const char *name, struct slice text,
                          struct error *error)
{
    uint32_t number = 0;
    while (text.size) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end ? (size_t)(end - text.data) : text.size;
        struct error wrong;
        number++;
        if (take_line(config, slice_make(text.data, size), &wrong) != OK)
            return error_set(error, ERR_INVALID, "%s, line %u: %s", name, number, wrong.message);
        size += end != NULL;
        text = slice_make(text.data + size, text.size - size);
    }
    return OK;
}

status_t bin__config_file(struct bin__config *config, const char *path, struct error *error)
{
    struct env_file *file;
    struct buffer text = {0};
    uint64_t size;
    status_t status = env_file_open(env_real(), path, ENV_OPEN_READ_ONLY, &file, error);
    if (status != OK)
        return status;
    status = env_file_size(file, &size, error);
    if (status == OK && size > CONFIG_FILE_BYTES_MAX)
        status = error_set(error, ERR_TOO_LONG, "%s is too long for a configuration", path);
    if (status == OK && size) {
        status = buffer_reserve(&text, (size_t)size);
        ASSERT(status == OK);
        status = env_file_read(file, 0, text.data, (size_t)size, &text.size, error);
    }
    env_file_close(file);
    if (status == OK)
        status = bin__config_text(config, path, buffer_slice(&text), error);
    buffer_free(&text);
    return status;
}

/* ---- making sense of it --------------------------------------------------------------------- */

/* "--id", "TOYDB_ID" or "id in the configuration file". */
static const char *place(const struct bin__config *config, enum bin__setting setting, char *out,
                         size_t size)
{
    switch (config->origins[setting]) {
    case BIN__FROM_ENVIRONMENT:
        return settings[setting].variable;
    case BIN__FROM_FILE:
        snprintf(out, size, "%s in the configuration file", settings[setting].name);
        return out;
    case BIN__FROM_FLAG:
    case BIN__NOWHERE:
        break;
    }
    snprintf(out, size, "--%s", settings[setting].name);
    return out;
}

static status_t resolve_text(const struct bin__config *config, enum bin__setting setting, char *out,
                             size_t size, struct error *error)
{
    char where[80];
    const char *value = config->values[setting];
    if (value && (size_t)snprintf(out, size, "%s", value) >= size)
        return error_set(error, ERR_INVALID, "%s is too long",
                         place(config, setting, where, sizeof where));
    return OK;
}

/* NULL: not among the peers. */
static const char *peer_address(const struct server_config *config)
{
    for (uint32_t i = 0; i < config->peer_count; i++)
        if (config->peers[i].id == config->id)
            return config->peers[i].address;
    return NULL;
}

/* host:port, or OK for none. *any: the host stands for all of the machine's addresses. */
static status_t address_check(const struct bin__config *config, enum bin__setting setting,
                              const char *address, bool *any, struct error *error)
{
    char where[80], host[SERVER_ADDRESS_MAX];
    uint16_t port;
    struct error wrong;
    *any = false;
    if (!*address)
        return OK;
    if (server_address_parse(address, host, sizeof host, &port, &wrong) != OK)
        return error_set(error, ERR_INVALID, "%s: %s", place(config, setting, where, sizeof where),
                         wrong.message);
    *any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    return OK;
}

/* Where to listen, and where the others reach this node: as given, else as the peers have it, else
 * as the data directory will tell. */
static status_t resolve_addresses(const struct bin__config *config, struct server_config *out,
                                  struct error *error)
{
    char where[80];
    bool listen_any, advertise_any;
    const char *own = peer_address(out);
    bool listen_given = *out->listen != '\0';
    if (out->peer_count && !own)
        return error_set(error, ERR_INVALID, "%s does not name node %llu itself",
                         place(config, BIN__PEERS, where, sizeof where),
                         (unsigned long long)out->id);
    if (!listen_given)
        snprintf(out->listen, sizeof out->listen, "%s", own ? own : "127.0.0.1:9601");
    out->listen_known = !listen_given && !own;
    status_t status = address_check(config, BIN__LISTEN, out->listen, &listen_any, error);
    if (status == OK && !*out->advertise && (own || (listen_given && !listen_any)))
        snprintf(out->advertise, sizeof out->advertise, "%s", own ? own : out->listen);
    if (status == OK)
        status = address_check(config, BIN__ADVERTISE, out->advertise, &advertise_any, error);
    if (status == OK && (advertise_any || (*out->join && listen_any && !*out->advertise)))
        return error_set(error, ERR_INVALID,
                         "other nodes cannot reach this one at \"%s\": say with --advertise "
                         "where they can",
                         advertise_any ? out->advertise : out->listen);
    return status;
}

static status_t resolve_log_level(const struct bin__config *config, struct server_config *out,
                                  struct error *error)
{
    char where[80];
    const char *level = config->values[BIN__LOG_LEVEL];
    int number = level ? log_level_parse(level) : LOG_INFO;
    if (number < 0)
        return error_set(error, ERR_INVALID,
                         "%s must be debug, info, warn, error or off, not \"%.100s\"",
                         place(config, BIN__LOG_LEVEL, where, sizeof where), level);
    out->log_level = (enum log_level)number;
    return OK;
}

static status_t resolve_switch(const struct bin__config *config, enum bin__setting setting,
                               bool *out, struct error *error)
{
    char where[80];
    const char *value = config->values[setting];
    *out = value && (strcmp(value, "on") == 0 || strcmp(value, "true") == 0);
    if (value && !*out && strcmp(value, "off") != 0 && strcmp(value, "false") != 0)
        return error_set(error, ERR_INVALID, "%s must be on or off, not \"%.100s\"",
                         place(config, setting, where, sizeof where), value);
    return OK;
}

/* The cluster that the node is to belong to. */
static status_t resolve_cluster(const struct bin__config *config, struct server_config *out,
                                struct error *error)
{
    char where[80], other[80];
    struct error wrong;
    const char *peers = config->values[BIN__PEERS];
    if (peers && server_peers_parse(peers, out, &wrong) != OK)
        return error_set(error, ERR_INVALID, "%s: %s",
                         place(config, BIN__PEERS, where, sizeof where), wrong.message);
    status_t status = resolve_text(config, BIN__JOIN, out->join, sizeof out->join, error);
    if (status == OK && *out->join && out->peer_count)
        return error_set(error, ERR_INVALID,
                         "%s and %s exclude each other: a node joins a cluster, or begins one with "
                         "its peers",
                         place(config, BIN__JOIN, where, sizeof where),
                         place(config, BIN__PEERS, other, sizeof other));
    if (status == OK)
        status = resolve_switch(config, BIN__LEARNER, &out->learner, error);
    if (status == OK && out->learner && !*out->join)
        return error_set(error, ERR_INVALID, "%s goes with --join",
                         place(config, BIN__LEARNER, where, sizeof where));
    return status;
}

/* 0, the server's default, when it is not given. */
static status_t resolve_seconds(const struct bin__config *config, enum bin__setting setting,
                                uint64_t *us, struct error *error)
{
    char where[80];
    uint64_t seconds = 0;
    const char *value = config->values[setting];
    if (value && !bin__number_parse(value, 1, 3600, &seconds))
        return error_set(error, ERR_INVALID, "%s must be seconds from 1 to 3600, not \"%.100s\"",
                         place(config, setting, where, sizeof where), value);
    *us = seconds * 1000000;
    return OK;
}

static status_t resolve_read_lease(const struct bin__config *config, struct server_config *out,
                                   struct error *error)
{
    char where[80];
    uint64_t milliseconds = 0;
    const char *lease = config->values[BIN__READ_LEASE];
    if (lease && !bin__number_parse(lease, 0, SERVER_LEASE_US_MAX / 1000, &milliseconds))
        return error_set(error, ERR_INVALID, "%s must be milliseconds from 0 to %d, not \"%.100s\"",
                         place(config, BIN__READ_LEASE, where, sizeof where),
                         SERVER_LEASE_US_MAX / 1000, lease);
    out->read_lease_us = milliseconds * 1000;
    return OK;
}

/* A number of MiB; 0, the server's default, when it is not given. */
static status_t resolve_size(const struct bin__config *config, enum bin__setting setting,
                             uint64_t *bytes, struct error *error)
{
    char where[80];
    uint64_t mebibytes = 0;
    const char *value = config->values[setting];
    if (value && !bin__number_parse(value, 1, SIZE_MIB_MAX, &mebibytes))
        return error_set(error, ERR_INVALID, "%s must be a number of MiB, not \"%.100s\"",
                         place(config, setting, where, sizeof where), value);
    *bytes = mebibytes << 20;
    return OK;
}

static status_t resolve_sizes(const struct bin__config *config, struct server_config *out,
                              struct error *error)
{
    status_t status = resolve_size(config, BIN__LOG_KEEP, &out->log_keep_bytes, error);
    if (status == OK)
        status = resolve_size(config, BIN__LOG_KEEP_MAX, &out->log_keep_max_bytes, error);
    if (status == OK)
        status = resolve_size(config, BIN__SNAPSHOT_RATE, &out->snapshot_bytes_per_second, error);
    return status;
}

static status_t resolve_engine(const struct bin__config *config, struct server_config *out,
                               struct error *error)
{
    char where[80];
    const char *name = config->values[BIN__ENGINE];
    out->engine = name ? kv_engine_from_name(name) : KV_ENGINE_ANY;
    if (name && out->engine == KV_ENGINE_ANY)
        return error_set(error, ERR_INVALID, "%s must be btree or lsm, not \"%.100s\"",
                         place(config, BIN__ENGINE, where, sizeof where), name);
    return OK;
}

status_t bin__config_resolve(const struct bin__config *config, struct server_config *out,
                             struct error *error)
{
    char where[80];
    *out = (struct server_config){.id = 1, .log_level = LOG_INFO};
    const char *id = config->values[BIN__ID];
    if (id && !bin__number_parse(id, 1, UINT32_MAX, &out->id))
        return error_set(error, ERR_INVALID,
                         "%s must be a number from 1 to %" PRIu32 ", not \"%.100s\"",
                         place(config, BIN__ID, where, sizeof where), UINT32_MAX, id);
    status_t status = resolve_log_level(config, out, error);
    if (status == OK)
        status = resolve_cluster(config, out, error);
    if (status == OK)
        status = resolve_seconds(config, BIN__DRAIN, &out->drain_us, error);
    if (status == OK)
        status = resolve_seconds(config, BIN__QUORUM_TIMEOUT, &out->quorum_timeout_us, error);
    if (status == OK)
        status = resolve_read_lease(config, out, error);
    if (status == OK)
        status = resolve_sizes(config, out, error);
    if (status == OK)
        status = resolve_engine(config, out, error);
    if (status == OK && (!config->values[BIN__DATA] || !*config->values[BIN__DATA]))
        return error_set(error, ERR_INVALID, "no data directory given (--data DIR or TOYDB_DATA)");
    if (status == OK)
        status = resolve_text(config, BIN__DATA, out->data_dir, sizeof out->data_dir, error);
    if (status == OK)
        status = resolve_text(config, BIN__LISTEN, out->listen, sizeof out->listen, error);
    if (status == OK)
        status = resolve_text(config, BIN__ADVERTISE, out->advertise, sizeof out->advertise, error);
    return status == OK ? resolve_addresses(config, out, error) : status;
}

void bin__config_free(struct bin__config *config)
{
    for (int i = 0; i < BIN__SETTINGS; i++)
        mem_free(config->values[i]);
    *config = (struct bin__config){0};
}
