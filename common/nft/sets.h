/* SPDX-License-Identifier: MIT */
#ifndef MWAN_NFT_SETS_H
#define MWAN_NFT_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/state.h"
#include "nft/table.h"

/* The named sets and maps of our table. They outlive a load with what they
 * hold, which is no part of the table's text: packets write the map of the
 * hosts, others write those that policies name, and the rest change when a link
 * comes up.
 */
enum ruleset_set_kind {
	SET_STICKY,		/* which link a host has */
	SET_STICKY6,
	SET_MSS,		/* of an interface: its MTU less the headers */
	SET_MSS6,
	SET_OWN6,		/* a link's: what its provider takes from it */
	SET_KNOWN6,		/* what is any link's, was, or is private */
	SET_NATIVE6,		/* whose provider gave a host its address */
	SET_MOVED,		/* flows that began untranslated by another */
	SET_MOVED6,		/* their sources */
	SET_NAMED,		/* "destination = @NAME" of policies */
	SET_NAMED6,
	SET_KINDS,
};

/* The declaration of all sets of a kind. */
struct set_shape {
	/* The beginning of the name of a link's set; "" for sets that policies
	 * name.
	 */
	const char *name;
	const char *text;	/* nft's words for its types */
	uint32_t flags;		/* NFT_SET_… */
	uint32_t key_type, key_len, data_type, data_len;
	uint32_t size;		/* elements that it has room for; 0: any */
	uint8_t headers;	/* of the MSS: what is taken off the MTU */
	bool of_link;
};

const struct set_shape *set_shape(unsigned int kind);

enum {
	/* The room for elements of one set. */
	SET_CONTENT_MAX = LINKS_MAX * PREFIXES_MAX + PAST6_MAX + 1,
	SET_MOVED_SIZE = 65536,
	SET_MOVED_TIMEOUT = 180,
	/* A resolver adds an address for each name that somebody looks up. */
	SET_NAMED_SIZE = 65536,
	MTU_MAX = 65535,
};

/* Fill in the elements of set number @set of @rs for @state, in ascending
 * order, a map's number in last.lo. Returns how many there are.
 */
unsigned int set_content(const struct ruleset *rs, unsigned int set,
			 const struct table_state *state,
			 struct ruleset_element content[SET_CONTENT_MAX]);

/* Is there one of this kind? */
bool ruleset_has_set_of(const struct ruleset *rs, unsigned int kind);

/* Does it hold what the links say, and not what packets or others write? The
 * flags of one in the kernel tell it, too. Sets that others fill have nothing of
 * links.
 */
bool set_is_filled(const struct ruleset *rs, unsigned int set);
bool set_flags_filled(uint32_t flags);
bool set_is_named(const struct ruleset *rs, unsigned int set);

bool set_is_map(const struct ruleset *rs, unsigned int set);

/* Is all of @p a link's, or private? */
bool table_state_has6(const struct ruleset *rs, const struct table_state *state,
		      const struct prefix *p);

/* Bring @want into the form in which it is compared: without prefixes that others
 * have in them, in ascending order, and with the MTUs of @is where it has none.
 */
void table_state_complete(const struct ruleset *rs, struct table_state *want,
			  const struct table_state *is);

/* Do the sets of @rs hold the same for both? */
bool table_state_equal(const struct ruleset *rs, const struct table_state *a,
		       const struct table_state *b);

/* Write what @state puts into the sets as commands for nft, NUL-terminated; the
 * length like snprintf().
 */
size_t table_state_print(const struct ruleset *rs,
			 const struct table_state *state, char *buf,
			 size_t size);

#endif
