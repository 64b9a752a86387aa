#include "varint.h"

size_t varint_write(uint8_t *ret, uint64_t value)
{
    size_t size = 0;
    while (value >= 0x80) {
        ret[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    ret[size++] = (uint8_t)value;
    return size;
}

const uint8_t *varint_read_long(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; at < end; shift += 7) {
        uint64_t byte = *at++;
        value |= (byte & 0x7f) << shift;
        if (byte >= 0x80 && shift < 63)
            continue;
        /* the tenth byte has one bit to give; a last byte of zero adds nothing */
        if ((shift == 63 && byte > 1) || (byte == 0 && shift > 0))
            return NULL;
        *ret = value;
        return at;
    }
    return NULL;
}
