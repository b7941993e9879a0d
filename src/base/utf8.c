#include "base/utf8.h"

#include <string.h>

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t utf8_decode(struct slice text, uint32_t *codepoint)
{
    if (text.size == 0)
        return 0;
    uint8_t first = text.data[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length == 0 || first > 0xf4 || text.size < length)
        return 0;
    static const uint8_t payload_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t value = first & payload_mask[length];
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(text.data[i]))
            return 0;
        value = value << 6 | (text.data[i] & 0x3fU);
    }
    if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    if (codepoint)
        *codepoint = value;
    return length;
}

size_t utf8_valid_until(struct slice text)
{
    size_t at = 0;
    while (at < text.size) {
        uint64_t eight;
        if (at + sizeof eight <= text.size) {
            memcpy(&eight, text.data + at, sizeof eight);
            if ((eight & 0x8080808080808080U) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        if (text.data[at] < 0x80) {
            at++;
            continue;
        }
        size_t length = utf8_decode(slice_make(text.data + at, text.size - at), NULL);
        if (length == 0)
            return at;
        at += length;
    }
    return at;
}

bool utf8_valid_text(struct slice text)
{
    const uint64_t ones = 0x0101010101010101U, tops = 0x8080808080808080U;
    size_t at = 0;
    while (at < text.size) {
        uint64_t eight;
        if (at + sizeof eight <= text.size) {
            memcpy(&eight, text.data + at, sizeof eight);
            /* Of ASCII a byte that is zero borrows from its top bit, and only with one is there a
             * byte that does. */
            if ((eight & tops) == 0 && ((eight - ones) & tops) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        if (text.data[at] == 0)
            return false;
        if (text.data[at] < 0x80) {
            at++;
            continue;
        }
        size_t length = utf8_decode(slice_make(text.data + at, text.size - at), NULL);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

bool utf8_valid(struct slice text)
{
    return utf8_valid_until(text) == text.size;
}

size_t utf8_length(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += !is_continuation(text.data[i]);
    return count;
}

size_t utf8_encode(uint32_t codepoint, uint8_t out[4])
{
    if (codepoint < 0x80) {
        out[0] = (uint8_t)codepoint;
        return 1;
    }
    if (codepoint < 0x800) {
        out[0] = (uint8_t)(0xc0 | codepoint >> 6);
        out[1] = (uint8_t)(0x80 | (codepoint & 0x3f));
        return 2;
    }
    if (codepoint > 0x10ffff || (codepoint >= 0xd800 && codepoint <= 0xdfff))
        return 0;
    if (codepoint < 0x10000) {
        out[0] = (uint8_t)(0xe0 | codepoint >> 12);
        out[1] = (uint8_t)(0x80 | (codepoint >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (codepoint & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | codepoint >> 18);
    out[1] = (uint8_t)(0x80 | (codepoint >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (codepoint >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (codepoint & 0x3f));
    return 4;
}
