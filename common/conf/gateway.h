/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_GATEWAY_H
#define MWAN_CONF_GATEWAY_H

#include "base/addr.h"
#include "base/err.h"

/* How we know a link's next router, by the key gateway. */
enum gateway_how {
	/* The key is not there: none of a point-to-point device, auto of any
	 * other.
	 */
	GATEWAY_BY_DEVICE,
	GATEWAY_AUTO,		/* what the kernel or a DHCP client says */
	GATEWAY_NONE,		/* the device alone leads on */
	GATEWAY_GIVEN,		/* addr; auto for the family that it lacks */
};

struct gateway_conf {
	enum gateway_how how;
	struct addr addr[FAMILIES];	/* of GATEWAY_GIVEN */
};

/* An address of each family, and what stands between them. */
enum { GATEWAY_TEXT = 2 * ADDR_TEXT };

/* Can a packet be given to this address as the next router? Not to ourselves
 * (loopback, 0.0.0.0), nor to many at once.
 */
bool gateway_possible(const struct addr *a);

/* Read and write the key's value: "auto", "none", or an address of a family or
 * of each. gateway_parse() returns 0 or -EINVAL with a sentence;
 * gateway_text() gives "" where the key is not there.
 */
int gateway_parse(const char *text, struct gateway_conf *g, struct err *err);
const char *gateway_text(const struct gateway_conf *g,
			 char text[GATEWAY_TEXT]);

#endif
