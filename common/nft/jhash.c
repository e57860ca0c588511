// SPDX-License-Identifier: MIT
#include <string.h>

#include "nft/jhash.h"

enum { BLOCK = 12 };	/* bytes that are mixed at a time */

static const uint32_t initial = 0xdeadbeef;	/* JHASH_INITVAL */

static uint32_t rotate(uint32_t word, unsigned int by)
{
	return word << by | word >> (32 - by);
}

/* __jhash_mix() */
static void mix(uint32_t h[3])
{
	static const uint8_t by[] = { 4, 6, 8, 16, 19, 4 };
	unsigned int i, a, b, c;

	for (i = 0; i < sizeof(by); i++) {
		a = i % 3;
		b = (i + 1) % 3;
		c = (i + 2) % 3;
		h[a] -= h[c];
		h[a] ^= rotate(h[c], by[i]);
		h[c] += h[b];
	}
}

/* __jhash_final() */
static void finish(uint32_t h[3])
{
	static const uint8_t by[] = { 14, 11, 25, 16, 4, 14, 24 };
	unsigned int i, to, from;

	for (i = 0; i < sizeof(by); i++) {
		to = (i + 2) % 3;
		from = (i + 1) % 3;
		h[to] ^= h[from];
		h[to] -= rotate(h[from], by[i]);
	}
}

uint32_t jhash(const void *key, size_t len, uint32_t seed)
{
	const uint8_t *byte = key;
	uint32_t h[3], word;
	size_t i;

	h[0] = h[1] = h[2] = initial + (uint32_t)len + seed;
	for (; len > BLOCK; len -= BLOCK, byte += BLOCK) {
		/* Bytes are in the machine's order, as the kernel reads
		 * them.
		 */
		for (i = 0; i < 3; i++) {
			memcpy(&word, byte + i * sizeof(word), sizeof(word));
			h[i] += word;
		}
		mix(h);
	}
	if (!len)
		return h[2];
	for (i = 0; i < len; i++)
		h[i / 4] += (uint32_t)byte[i] << 8 * (i % 4);
	finish(h);
	return h[2];
}
