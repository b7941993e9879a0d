/* Through the client: to a node in this process, or to the nodes of a cluster. */
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "server/server.h"
#include "slt.h"
#include "toydb/toydb.h"

struct client {
    struct slt_target target;
    const char *addresses; /* NULL: embedded */
    char dir[400];
    struct embedded *embedded;
    struct toydb_session *session;
    struct arena names; /* of `drops` */
    char **drops;       /* statements that remove what the script has made */
    uint32_t drop_count;
    uint32_t drop_capacity;
};

/* ---- statements -------------------------------------------------------------------------------
 */

struct rows {
    struct slt_result *result;
    struct slice types;
};

static struct value value_of(const struct toydb_value *value)
{
    switch (value->type) {
    case TOYDB_NULL:
        return value_null(SQL_TEXT);
    case TOYDB_BOOLEAN:
        return value_boolean(value->boolean);
    case TOYDB_INTEGER:
        return value_integer(value->integer);
    case TOYDB_DOUBLE:
        return value_double(value->real);
    case TOYDB_TEXT:
    case TOYDB_BYTES:
        return value_text(slice_make(value->text.data, value->text.size));
    }
    UNREACHABLE();
}

static bool take(void *context, const struct toydb_event *event)
{
    struct rows *rows = context;
    if (event->kind == TOYDB_HEADER)
        rows->result->columns = event->column_count;
    if (event->kind != TOYDB_ROW)
        return true;
    for (uint32_t c = 0; c < event->column_count; c++) {
        struct value value = value_of(&event->values[c]);
        slt_result_add(rows->result, &value,
                       c < rows->types.size ? (char)rows->types.data[c] : 'T');
    }
    return true;
}

static bool run_text(struct client *client, const char *sql, struct rows *rows, struct error *error)
{
    struct toydb_error failure;
    if (toydb_execute(client->session, sql, NULL, 0, take, rows, &failure) == TOYDB_OK)
        return true;
    error_set(error, ERR_INVALID, "%s", failure.message);
    snprintf(error->sqlstate, sizeof error->sqlstate, "%s", failure.sqlstate);
    return false;
}

/* How to undo a CREATE TABLE or VIEW. */
static void drop_remember(struct client *client, const char *sql)
{
    static const char *const kinds[] = {"TABLE", "VIEW"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char name[128], begin[32];
        snprintf(begin, sizeof begin, "CREATE %s ", kinds[i]);
        if (strncasecmp(sql, begin, strlen(begin)) != 0 ||
            sscanf(sql + strlen(begin), " %127[A-Za-z0-9_]", name) != 1)
            continue;
        client->drops = arena_grow(&client->names, client->drops, &client->drop_capacity,
                                   client->drop_count + 1, sizeof *client->drops);
        client->drops[client->drop_count++] =
            arena_printf(&client->names, "DROP %s IF EXISTS %s", kinds[i], name);
    }
}

static bool client_execute(struct slt_target *target, struct slice sql, struct slice types,
                           struct slt_result *result, struct error *error)
{
    struct client *client = (struct client *)target;
    struct rows rows = {.result = result, .types = types};
    const char *text = arena_strndup(result->arena, (const char *)sql.data, sql.size);
    if (!run_text(client, text, &rows, error))
        return false;
    if (client->addresses)
        drop_remember(client, text);
    return true;
}

/* ---- a cluster --------------------------------------------------------------------------------
 */

static bool session_opened(struct client *client, const struct toydb_error *failure,
                           struct error *error)
{
    if (!client->session)
        error_set(error, ERR_IO, "%s", failure->message);
    return client->session != NULL;
}

static bool cluster_open(struct slt_target *target, struct error *error)
{
    struct client *client = (struct client *)target;
    struct toydb_error failure;
    client->session = toydb_session_open(client->addresses, NULL, &failure);
    return session_opened(client, &failure, error);
}

static void cluster_close(struct slt_target *target)
{
    struct client *client = (struct client *)target;
    struct slt_result ignored = {.arena = &client->names};
    struct rows rows = {.result = &ignored};
    struct error error;
    while (client->session && client->drop_count > 0)
        if (!run_text(client, client->drops[--client->drop_count], &rows, &error))
            fprintf(stderr, "slt: %s: %s\n", client->drops[client->drop_count], error.message);
    toydb_session_close(client->session);
    client->session = NULL;
    arena_free(&client->names);
    client->drops = NULL;
    client->drop_count = client->drop_capacity = 0;
}

struct slt_target *slt_target_cluster(const char *addresses)
{
    static struct client client = {.target = {cluster_open, cluster_close, client_execute}};
    client.addresses = addresses;
    return &client.target;
}

/* ---- embedded ---------------------------------------------------------------------------------
 */

static bool embedded_begin(struct slt_target *target, struct error *error)
{
    struct client *client = (struct client *)target;
    struct toydb_error failure = {0};
    int fd;
    if (embedded_open(client->dir, KV_ENGINE_ANY, &client->embedded, error) != OK ||
        embedded_connect(client->embedded, &fd, error) != OK)
        return false;
    client->session = toydb_session_open_fd(fd, NULL, &failure);
    return session_opened(client, &failure, error);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void)status, (void)flag, (void)walk;
    return remove(path);
}

static void embedded_end(struct slt_target *target)
{
    struct client *client = (struct client *)target;
    toydb_session_close(client->session);
    client->session = NULL;
    embedded_close(client->embedded);
    client->embedded = NULL;
    nftw(client->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct slt_target *slt_target_embedded(const char *dir)
{
    static struct client client = {.target = {embedded_begin, embedded_end, client_execute}};
    snprintf(client.dir, sizeof client.dir, "%s/node", dir);
    return &client.target;
}
