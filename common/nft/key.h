/* SPDX-License-Identifier: MIT */
#ifndef MWAN_NFT_KEY_H
#define MWAN_NFT_KEY_H

#include <stdbool.h>
#include <stdint.h>

/* A statement of a rule is an operator and what it is about: its kind is
 * OP_X | KEY_Y. key_of() says what nft calls the key, where the kernel finds it
 * and how it looks there; text, messages and trace all go by that.
 */

enum ruleset_what {
	KEY_IPV4,
	KEY_IPV6,
	KEY_IIFNAME,
	KEY_OIFNAME,
	KEY_NEW,
	KEY_REPLY,
	KEY_ORIGINAL,
	KEY_SNAT,
	KEY_BARE,		/* confirmed without any translation? */
	KEY_META_MARK,
	KEY_CT_MARK,
	KEY_PRIORITY,
	KEY_IPSEC,
	KEY_LOCAL,		/* is the source an address of this machine? */
	KEY_LOCAL_OIF,		/* ... of the interface that it leaves by? */
	KEY_SYN,
	KEY_SADDR,
	KEY_DADDR,
	KEY_SADDR6,
	KEY_DADDR6,
	KEY_TUPLE6,		/* addresses, ports, protocol */
	KEY_PROTOCOL,
	KEY_PORTS_OF,		/* the same; its text is that of the ports */
	KEY_SPORT,
	KEY_DPORT,
	KEY_HASH,
	KEY_FLOW,
	KEY_HASH6,
	KEY_FLOW6,
	KEY_RANDOM,
	KEY_TURNS,
	KEYS,
};

enum ruleset_operator {
	OP_IF = 0x100,		/* KEY == … */
	OP_IF_NOT = 0x200,	/* KEY != … */
	OP_TO = 0x300,		/* KEY vmap … */
	OP_SET = 0x400,		/* KEY set KEY & ~M | m */
	OP_RECALL = 0x500,	/* meta priority set KEY map @sticky */
	OP_ADD = 0x600,		/* add @sticky { KEY : m } */
	OP_UPDATE = 0x700,	/* update @sticky { KEY : m } */
	OP_DELETE = 0x800,	/* delete @sticky { KEY : m } */
	OP_CLAMP = 0x900,	/* tcp option maxseg size set KEY map @mss */
	OP_DO = 0xa00,		/* a verb and no key */
	OP_MASK = 0xff00,
	KEY_MASK = 0xff,
};

/* Of which part of the packet, or of what is known about it, the key is; its
 * number there is key.number.
 */
enum key_from {
	FROM_META,		/* NFT_META_… */
	FROM_CT,		/* NFT_CT_… */
	FROM_RT,		/* NFT_RT_… */
	FROM_FIB,		/* NFTA_FIB_F_… */
	FROM_NETWORK,		/* an offset in its header */
	FROM_TRANSPORT,		/* an offset in its header */
	FROM_TCP,		/* the same, of TCP alone */
	FROM_TUPLE,		/* several of them in a row */
	FROM_HASH,		/* of addresses and ports */
	FROM_NUMGEN,		/* NFT_NG_… */
};

/* nft's numbers for types of keys (src/include/datatype.h); the kernel keeps
 * them and does not look at them, nft needs them to print the elements.
 */
enum key_type {
	TYPE_NONE,		/* never in a set */
	TYPE_INTEGER = 4,
	TYPE_IPV4 = 7,
	TYPE_IPV6 = 8,
	TYPE_PROTOCOL = 12,
	TYPE_SERVICE = 13,
	TYPE_MARK = 19,
	TYPE_CLASS = 23,
	TYPE_IFNAME = 41,
};

struct key {
	const char *word;	/* what nft calls it; NULL: nothing */
	/* The only value that it is ever compared with: nft's word, and the
	 * number; under @mask unless that is 0.
	 */
	const char *constant;
	uint32_t value, mask;
	uint32_t number;	/* see enum key_from */
	uint8_t from, type, len;
	uint8_t family;		/* NFPROTO_…, of which it is alone; 0: any */
	bool network;		/* it is in network order */
	bool bits;		/* a constant is one of several bits */
};

/* The key of a statement of this kind; of one without a key it is undefined. */
const struct key *key_of(unsigned int kind);

#endif
