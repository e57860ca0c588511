/* SPDX-License-Identifier: MIT */
#ifndef MWAN_NFT_WORDS_H
#define MWAN_NFT_WORDS_H

#include <stdbool.h>

/* Is it a word of nft's language? The kernel takes any name for a set, but nft
 * and what calls its library, such as dnsmasq, cannot write to a set of such a
 * name.
 */
bool nft_is_word(const char *name);

#endif
