/* UUIDs as text (RFC 9562, section 4). */
#include "base/check.h"
#include "sql/types/types.h"

enum { HYPHEN_EVERY = 4, BYTES = sizeof(struct uuid) };

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_parse(struct slice text, struct uuid *out)
{
    ASSERT(out);
    if (text.size >= 2 && text.data[0] == '{' && text.data[text.size - 1] == '}')
        text = slice_make(text.data + 1, text.size - 2);
    size_t at = 0;
    for (uint32_t digit = 0; digit < 2 * BYTES; digit++) {
        bool may_part = digit > 0 && digit % HYPHEN_EVERY == 0;
        if (may_part && at < text.size && text.data[at] == '-')
            at++;
        int value = at < text.size ? digit_of(text.data[at++]) : -1;
        if (value < 0)
            return false;
        uint8_t *byte = &out->bytes[digit / 2];
        *byte = (uint8_t)(digit % 2 == 0 ? value << 4 : *byte | value);
    }
    return at == text.size;
}

void uuid_format(struct uuid uuid, struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * BYTES + 4];
    size_t size = 0;
    for (uint32_t i = 0; i < BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[size++] = '-';
        text[size++] = digits[uuid.bytes[i] >> 4];
        text[size++] = digits[uuid.bytes[i] & 15];
    }
    ASSERT(size == sizeof text);
    buffer_append(out, text, size);
}

struct uuid uuid_from_random(const uint8_t random[16])
{
    struct uuid uuid;
    for (uint32_t i = 0; i < BYTES; i++)
        uuid.bytes[i] = random[i];
    uuid.bytes[6] = (uint8_t)(0x40 | (uuid.bytes[6] & 0x0f)); /* version 4: random */
    uuid.bytes[8] = (uint8_t)(0x80 | (uuid.bytes[8] & 0x3f)); /* the variant of RFC 9562 */
    return uuid;
}
