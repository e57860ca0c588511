/* SPDX-License-Identifier: MIT */
#ifndef MWAN_NFT_JHASH_H
#define MWAN_NFT_JHASH_H

#include <stddef.h>
#include <stdint.h>

/* Bob Jenkins' hash as the kernel has it (include/linux/jhash.h, jhash()): of
 * @len bytes, with a seed.
 */
uint32_t jhash(const void *key, size_t len, uint32_t seed);

#endif
