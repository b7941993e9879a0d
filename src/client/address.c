#include <string.h>

#include "base/check.h"
#include "client/client_int.h"

static const char PORT_DEFAULT[] = "9601";

/* Splits "host", "host:port", "[v6]", "[v6]:port"; false when it is none of these. */
static bool address_split(struct slice text, struct slice *host, struct slice *port)
{
    *port = slice_from_string(PORT_DEFAULT);
    const uint8_t *end = text.data + text.size;
    const uint8_t *host_end;
    if (text.size && text.data[0] == '[') {
        host_end = memchr(text.data, ']', text.size);
        if (!host_end)
            return false;
        *host = slice_make(text.data + 1, (size_t)(host_end - text.data) - 1);
        host_end++;
    } else {
        host_end = memchr(text.data, ':', text.size);
        if (!host_end)
            host_end = end;
        *host = slice_make(text.data, (size_t)(host_end - text.data));
    }
    if (host_end < end) {
        if (*host_end != ':')
            return false;
        *port = slice_make(host_end + 1, (size_t)(end - host_end) - 1);
    }
    return host->size > 0;
}

static bool port_valid(struct slice port)
{
    unsigned number = 0;
    for (size_t i = 0; i < port.size; i++) {
        if (port.data[i] < '0' || port.data[i] > '9')
            return false;
        number = number * 10 + (unsigned)(port.data[i] - '0');
        if (number > 65535)
            return false;
    }
    return number > 0;
}

static void text_copy(char *out, size_t size, struct slice text)
{
    ASSERT(text.size < size);
    memcpy(out, text.data, text.size);
    out[text.size] = 0;
}

static bool address_parse(struct slice text, struct client__address *out)
{
    struct slice host;
    struct slice port;
    if (!address_split(text, &host, &port) || !port_valid(port))
        return false;
    if (host.size >= sizeof out->host || port.size >= sizeof out->port ||
        text.size >= sizeof out->text || memchr(host.data, 0, host.size))
        return false;
    text_copy(out->host, sizeof out->host, host);
    text_copy(out->port, sizeof out->port, port);
    text_copy(out->text, sizeof out->text, text);
    return true;
}

status_t client__addresses_parse(const char *text, struct client__address *out, uint32_t *count,
                                 struct toydb_error *error)
{
    *count = 0;
    const char *at = text;
    for (;;) {
        size_t size = strcspn(at, ",");
        if (*count == CLIENT__ADDRESSES_MAX) {
            client__error_set(error, TOYDB_ERROR, "22023", "more than %d addresses",
                              CLIENT__ADDRESSES_MAX);
            return ERR_INVALID;
        }
        if (!address_parse(slice_make(at, size), &out[*count])) {
            client__error_set(error, TOYDB_ERROR, "22023", "malformed address \"%.*s\"",
                              size > 255 ? 255 : (int)size, at);
            return ERR_INVALID;
        }
        ++*count;
        if (at[size] == 0)
            return OK;
        at += size + 1;
    }
}
