/* How gRPC spells things in headers. Names of sections are those of PROTOCOL-HTTP2.md. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "grpc/grpc_int.h"

const char *grpc_status_name(enum grpc_status status)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    size_t count = sizeof names / sizeof names[0];
    return (size_t)status < count ? names[status] : "UNKNOWN";
}

bool grpc__slice_is(struct slice text, const char *literal)
{
    return slice_equal(text, slice_from_string(literal));
}

int grpc__number_parse(struct slice text)
{
    if (text.size == 0 || text.size > 3)
        return -1;
    int number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

/* Timeout: TimeoutValue (at most 8 digits) TimeoutUnit. */
bool grpc__timeout_parse(struct slice text, uint64_t *timeout_us)
{
    if (text.size < 2 || text.size > 9)
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    ASSERT(number < 100000000);
    switch (text.data[text.size - 1]) {
    case 'H':
        *timeout_us = number * 3600000000;
        return true;
    case 'M':
        *timeout_us = number * 60000000;
        return true;
    case 'S':
        *timeout_us = number * 1000000;
        return true;
    case 'm':
        *timeout_us = number * 1000;
        return true;
    case 'u':
        *timeout_us = number;
        return true;
    case 'n':
        *timeout_us = (number + 999) / 1000;
        return true;
    default:
        return false;
    }
}

void grpc__timeout_format(uint64_t timeout_us, char out[16])
{
    static const struct {
        uint64_t us;
        char letter;
    } units[] = {{1, 'u'}, {1000, 'm'}, {1000000, 'S'}, {60000000, 'M'}, {3600000000, 'H'}};
    size_t unit = 0;
    size_t last = sizeof units / sizeof units[0] - 1;
    while (unit < last && timeout_us > 99999999 * units[unit].us)
        unit++;
    uint64_t number = timeout_us / units[unit].us + (timeout_us % units[unit].us != 0);
    if (number > 99999999)
        number = 99999999;
    int length = snprintf(out, 16, "%u%c", (unsigned)number, units[unit].letter);
    ASSERT(length > 1 && length < 16);
}

/* Percent-Encoded: everything outside of printable ASCII, and the percent sign. */
void grpc__message_encode(struct slice text, struct buffer *out)
{
    static const char digits[] = "0123456789ABCDEF";
    buffer_reset(out);
    if (text.size > GRPC__STATUS_MESSAGE_MAX)
        text.size = GRPC__STATUS_MESSAGE_MAX;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
            buffer_append_byte(out, byte);
        } else {
            uint8_t escape[3] = {'%', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};
            buffer_append(out, escape, sizeof escape);
        }
    }
    ASSERT(!out->failed);
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return -1;
}

/* "When decoding invalid values, implementations MUST NOT error or throw away the message." */
void grpc__message_decode(struct slice text, struct buffer *out)
{
    buffer_reset(out);
    for (size_t i = 0; i < text.size; i++) {
        int high = -1;
        int low = -1;
        if (text.data[i] == '%' && text.size - i > 2) {
            high = hex_digit(text.data[i + 1]);
            low = hex_digit(text.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            buffer_append_byte(out, (uint8_t)(high << 4 | low));
            i += 2;
        } else {
            buffer_append_byte(out, text.data[i]);
        }
    }
    ASSERT(!out->failed && out->size <= text.size);
}

/* Content-Type: "application/grpc" [("+proto" / "+json" / {custom})]; a parameter may follow. */
bool grpc__content_type_valid(struct slice value)
{
    struct slice prefix = slice_from_string("application/grpc");
    if (!slice_has_prefix(value, prefix))
        return false;
    if (value.size == prefix.size)
        return true;
    uint8_t next = value.data[prefix.size];
    return next == '+' || next == ';';
}

/* grpc/grpc, doc/http-grpc-status-mapping.md. */
enum grpc_status grpc__status_from_http(int http_status)
{
    switch (http_status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

/* PROTOCOL-HTTP2.md, "Errors". */
enum grpc_status grpc__status_from_http2(uint32_t error_code)
{
    switch (error_code) {
    case NGHTTP2_REFUSED_STREAM:
        return GRPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return GRPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return GRPC_PERMISSION_DENIED;
    default:
        return GRPC_INTERNAL;
    }
}
