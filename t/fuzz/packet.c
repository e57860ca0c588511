// SPDX-License-Identifier: MIT
/* What comes in by the sockets of mwan-rules watch. The input: a byte that says
 * how was asked, then the packet. No length is exceeded, and nothing counts that
 * does not have this process' key in it, where there is room for one.
 */
#include <string.h>

#include "fuzz.h"
#include "watch/packet.h"

static const struct packet_key key = { 0x4d57, 0x414e, 0x6d77616e77617463 };

/* Is the word, in either byte order, anywhere in the packet? */
static bool has(const uint8_t *data, size_t size, const void *word, size_t len)
{
	uint8_t back[8];
	size_t i;

	for (i = 0; i < len; i++)
		back[i] = ((const uint8_t *)word)[len - 1 - i];
	for (i = 0; i + len <= size; i++)
		if (!memcmp(data + i, word, len) || !memcmp(data + i, back, len))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum watch_probe_kind kinds[] = {
		WATCH_ICMP, WATCH_DNS, WATCH_TCP, WATCH_NONE,
	};
	struct packet_way way = { .how = { .port = 443 } };
	struct packet_reply reply;
	enum packet_says says;

	if (!size)
		return 0;
	way.how.kind = data[0] & 32 ? WATCH_ARP : kinds[data[0] % 4];
	way.local.family = data[0] & 64 ? AF_INET6 : AF_INET;
	/* The forms of IPv6 are odd ones. */
	way.form = (data[0] & 128 ? PACKET_BARE : PACKET_IP) +
		   (data[0] & 64 ? 1 : 0);
	says = packet_read(&way, &key, data + 1, size - 1, &reply);
	must(says == PACKET_FOREIGN || way.how.kind != WATCH_NONE);
	must(says != PACKET_REFUSAL || way.how.kind == WATCH_ICMP);
	must(says == PACKET_FOREIGN || way.form != PACKET_IP ||
	     reply.target.family == AF_INET);
	must(reply.any == (says == PACKET_ANSWER &&
			   way.how.kind == WATCH_ARP));
	if (way.how.kind == WATCH_ICMP && says == PACKET_ANSWER)
		must(has(data + 1, size - 1, &key.cookie, sizeof(key.cookie)));
	if (way.how.kind == WATCH_ICMP && says == PACKET_REFUSAL)
		must(has(data + 1, size - 1, &key.id, sizeof(key.id)));
	return 0;
}
