#include "reference.h"
#include <string.h>

static int varint(const uint8_t **at, const uint8_t *end, uint64_t *out) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t next = *(*at)++;
        value |= (uint64_t)(next & 0x7f) << shift;
        if (next < 0x80) {
            *out = value;
            return 1;
        }
    }
    return 0;
}

static int64_t zigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

static uint64_t load(const uint8_t *p) {
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

int reference_packed(const uint8_t *bytes, size_t size, const uint8_t *bits, size_t count, int64_t *out) {
    const uint8_t *at = bytes, *end = bytes + size;
    if (at >= end) return 0;
    int order = *at & 3, divides = *at & 4;
    at++;
    uint64_t raw, first, second = 0, divisor = 1;
    if (!varint(&at, end, &raw)) return 0;
    first = (uint64_t)zigzag(raw);
    if (order == 3 || (order == 2 && count > 1)) {
        if (!varint(&at, end, &raw)) return 0;
        second = (uint64_t)zigzag(raw);
    }
    if (divides && !varint(&at, end, &divisor)) return 0;
    size_t done = 0;
    if (order > 0 && count > 0) out[done++] = (int64_t)first;
    if (order == 2 && count > 1) out[done++] = (int64_t)(first + second);
    if ((size_t)(end - at) < count - done) return 0;
    uint64_t value = order == 2 ? first + second : first, step = second;
    for (size_t bit = 0; done < count; done++) {
        uint64_t symbol = *at++;
        uint64_t width = symbol < 8 ? 0 : (symbol >> 2) - 1;
        uint64_t lead = symbol < 4 ? symbol : 4 | (symbol & 3);
        if (width > 57) return 0;
        uint64_t r = lead << width | ((load(bits + (bit >> 3)) >> (bit & 7)) & ~(~0ull << width));
        bit += width;
        switch (order) {
        case 0: out[done] = (int64_t)(first + r * divisor); continue;
        case 1: value += (uint64_t)zigzag(r) * divisor; break;
        case 2: value += step += (uint64_t)zigzag(r) * divisor; break;
        default: value += r * divisor + second;
        }
        out[done] = (int64_t)value;
    }
    return 1;
}

int reference_decimals(const uint8_t *bytes, size_t size, const uint8_t *bits, size_t count, double *out) {
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
    if (size < 1 || bytes[0] > 18) return 0;
    int64_t integers[2048];
    if (count > 2048 || !reference_packed(bytes + 1, size - 1, bits, count, integers)) return 0;
    double power = powers[bytes[0]];
    for (size_t i = 0; i < count; i++) out[i] = (double)integers[i] / power;
    return 1;
}

int reference_xor(const uint8_t *bytes, size_t size, size_t count, double *out) {
    size_t bit = 64;
    if (size < 8 || count == 0) return 0;
    uint64_t value = __builtin_bswap64(load(bytes));
    unsigned lead = 0, width = 0;
    memcpy(out, &value, 8);
    for (size_t i = 1; i < count; i++) {
        if ((bit >> 3) > size) return 0;
        uint64_t word = __builtin_bswap64(load(bytes + (bit >> 3))) << (bit & 7);
        if (!(word >> 63)) {
            bit += 1;
        } else {
            if (word >> 62 == 3) {
                lead = (word >> 57) & 31;
                width = ((word >> 51) & 63) + 1;
                bit += 13;
            } else {
                bit += 2;
            }
            const uint8_t *p = bytes + (bit >> 3);
            unsigned used = bit & 7;
            uint64_t bits = __builtin_bswap64(load(p)) << used;
            if (used) bits |= (uint64_t)p[8] >> (8 - used);
            if (width == 0 || lead + width > 64) return 0;
            value ^= bits >> (64 - width) << (64 - lead - width);
            bit += width;
        }
        memcpy(out + i, &value, 8);
    }
    return (bit + 7) >> 3 <= size;
}
