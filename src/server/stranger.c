/* Who knocks at a node's port with another protocol is told so, in that protocol: psql and drivers
 * of PostgreSQL, browsers and curl. */
#include <string.h>

#include "base/check.h"
#include "server/node_int.h"

/* The first message of a PostgreSQL client: its length, then a version or a wish
 * (www.postgresql.org/docs/current/protocol-message-formats.html). */
enum {
    PG_HEADER = 8,
    PG_CANCEL = 80877102,
    PG_TLS = 80877103,
    PG_GSS = 80877104,
    PG_VERSION_3 = 3
};

#define PG_MESSAGE                                                                                 \
    "SFATAL\0"                                                                                     \
    "VFATAL\0"                                                                                     \
    "C0A000\0"                                                                                     \
    "Mthis is a node of toyDB, which speaks gRPC and not the PostgreSQL protocol\0"                \
    "HUse its shell, toysql, or gRPC with protobuf/toydb.proto.\0"

/* ErrorResponse: 'E', the length from there on, fields, and a NUL that is the literal's own. */
static const char pg_fields[] = PG_MESSAGE;
enum { PG_ANSWER_SIZE = 1 + 4 + sizeof pg_fields };

#define HTTP_TEXT                                                                                  \
    "This is a node of toyDB. It speaks gRPC, which is HTTP/2: use toysql, or "                    \
    "protobuf/toydb.proto\n"
_Static_assert(sizeof HTTP_TEXT - 1 == 94, "as Content-Length has it");

static const char http_answer[] = "HTTP/1.1 400 Bad Request\r\n"
                                  "Content-Type: text/plain; charset=utf-8\r\n"
                                  "Content-Length: 94\r\n"
                                  "Connection: close\r\n"
                                  "\r\n" HTTP_TEXT;

/* 0: it is none. */
static uint32_t pg_code(struct slice first)
{
    bool sized = first.size >= PG_HEADER && get_u32_be(first.data) >= PG_HEADER &&
                 get_u32_be(first.data) <= 1 << 16;
    uint32_t code = sized ? get_u32_be(first.data + 4) : 0;
    return (code >= PG_CANCEL && code <= PG_GSS) || code >> 16 == PG_VERSION_3 ? code : 0;
}

static bool is_http_1(struct slice first)
{
    static const char *const methods[] = {"GET /", "HEAD /", "POST /", "PUT /", "OPTIONS "};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (slice_has_prefix(first, slice_from_string(methods[i])))
            return true;
    return false;
}

enum stranger stranger_answer(struct slice first, struct buffer *out)
{
    uint32_t code = pg_code(first);
    ASSERT(out->size == 0);
    if (is_http_1(first)) {
        buffer_append_string(out, http_answer);
        return STRANGER_TOLD;
    }
    if (code == 0)
        return STRANGER_NOT;
    if (code == PG_TLS || code == PG_GSS) { /* errors are believed only behind this */
        buffer_append_byte(out, 'N');
        return STRANGER_ASKS;
    }
    uint8_t size[4];
    put_u32_be(size, PG_ANSWER_SIZE - 1);
    buffer_append_byte(out, 'E');
    buffer_append(out, size, sizeof size);
    buffer_append(out, pg_fields, sizeof pg_fields);
    ASSERT(out->size == PG_ANSWER_SIZE);
    return STRANGER_TOLD;
}
