// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "watch/packet.h"

enum {
	IP_HEADER = 20,
	IP6_HEADER = 40,
	ICMP_HEADER = 8,
	ECHO_SIZE = ICMP_HEADER + 32,	/* some drop what is empty */
	TCP_HEADER = 20,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_ACK = 0x10,
	TCP_WINDOW = 1024,
	DNS_HEADER = 12,
	DNS_RECURSE = 0x01,		/* in the third byte */
	DNS_RESPONSE = 0x80,
	DNS_TYPE_NS = 2,
	DNS_CLASS_IN = 1,
	PORTS_FIRST = 61000,
	PORTS = 4500,
	/* RFC 826, for Ethernet and IPv4. */
	ARP_SIZE = 28,
	ARP_SENDER = 8,			/* hardware, then IPv4 address */
	ARP_TARGET = 18,
	/* RFC 4861: a solicitation with who asks, an advertisement. */
	SOLICIT = 135,
	ADVERT = 136,
	NEIGHBOUR_SIZE = 32,
	NEIGHBOUR_TARGET = 8,
};

/* The types of an echo, its answer, and what says that it was refused. */
static const struct icmp_words {
	uint8_t echo, reply, unreachable, exceeded, protocol;
} icmp_types[FAMILIES] = {
	[FAMILY_IPV4] = { ICMP_ECHO, ICMP_ECHOREPLY, ICMP_DEST_UNREACH,
			  ICMP_TIME_EXCEEDED, IPPROTO_ICMP },
	[FAMILY_IPV6] = { ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY,
			  ICMP6_DST_UNREACH, ICMP6_TIME_EXCEEDED,
			  IPPROTO_ICMPV6 },
};

static const struct icmp_words *icmp_of(const struct packet_way *way)
{
	return &icmp_types[addr_family(&way->local)];
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* RFC 1071, begun with @sum. */
static uint16_t checksum(uint32_t sum, const uint8_t *at, size_t len)
{
	for (; len > 1; len -= 2, at += 2)
		sum += get16(at);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t write_echo(const struct packet_way *way,
			 const struct packet_key *key, uint16_t seq,
			 uint8_t *buf)
{
	memset(buf, 0, ECHO_SIZE);
	buf[0] = icmp_of(way)->echo;
	put16(buf + 4, key->id);
	put16(buf + 6, seq);
	memcpy(buf + ICMP_HEADER, &key->cookie, sizeof(key->cookie));
	put16(buf + 2, checksum(0, buf, ECHO_SIZE));
	return ECHO_SIZE;
}

/* The name servers of the root: every resolver has them at hand. */
static size_t write_dns(const struct packet_key *key, uint16_t seq,
			uint8_t *buf)
{
	memset(buf, 0, DNS_HEADER + 1);
	put16(buf, seq ^ key->secret);
	buf[2] = DNS_RECURSE;
	put16(buf + 4, 1);
	put16(buf + DNS_HEADER + 1, DNS_TYPE_NS);
	put16(buf + DNS_HEADER + 3, DNS_CLASS_IN);
	return DNS_HEADER + 5;
}

uint16_t packet_port(const struct packet_key *key)
{
	return (uint16_t)(PORTS_FIRST + key->id % PORTS);
}

static uint32_t syn_number(const struct packet_key *key, uint16_t seq)
{
	return (uint32_t)key->secret << 16 | seq;
}

/* A SYN by hand: the kernel, which knows of no such connection, refuses the
 * answer with a reset, and none is left.
 */
static size_t write_syn(const struct packet_way *way,
			const struct packet_key *key, uint16_t seq,
			const struct addr *target, uint8_t *buf)
{
	uint32_t sum = IPPROTO_TCP + TCP_HEADER;
	const uint32_t ends[] = { ntohl(way->local.v4.s_addr),
				  ntohl(target->v4.s_addr) };

	memset(buf, 0, TCP_HEADER);
	put16(buf, packet_port(key));
	put16(buf + 2, way->how.port);
	put32(buf + 4, syn_number(key, seq));
	buf[12] = TCP_HEADER / 4 << 4;
	buf[13] = TCP_SYN;
	put16(buf + 14, TCP_WINDOW);
	if (target->family != AF_INET)
		return TCP_HEADER;
	sum += (ends[0] >> 16) + (ends[0] & 0xffff) + (ends[1] >> 16) +
	       (ends[1] & 0xffff);
	put16(buf + 16, checksum(sum, buf, TCP_HEADER));
	return TCP_HEADER;
}

static size_t write_arp(const struct packet_way *way,
			const struct addr *target, uint8_t *buf)
{
	memset(buf, 0, ARP_SIZE);
	put16(buf, ARPHRD_ETHER);
	put16(buf + 2, ETH_P_IP);
	buf[4] = sizeof(way->mac);
	buf[5] = sizeof(target->v4);
	put16(buf + 6, ARPOP_REQUEST);
	memcpy(buf + ARP_SENDER, way->mac, sizeof(way->mac));
	memcpy(buf + ARP_SENDER + sizeof(way->mac), &way->local.v4,
	       sizeof(way->local.v4));
	memcpy(buf + ARP_TARGET + sizeof(way->mac), &target->v4,
	       sizeof(target->v4));
	return ARP_SIZE;
}

static size_t write_solicitation(const struct packet_way *way,
				 const struct addr *target, uint8_t *buf)
{
	memset(buf, 0, NEIGHBOUR_SIZE);
	buf[0] = SOLICIT;
	memcpy(buf + NEIGHBOUR_TARGET, &target->v6, sizeof(target->v6));
	buf[24] = ND_OPT_SOURCE_LINKADDR;
	buf[25] = 1;			/* in units of 8 bytes */
	memcpy(buf + 26, way->mac, sizeof(way->mac));
	return NEIGHBOUR_SIZE;
}

size_t packet_write(const struct packet_way *way, const struct packet_key *key,
		    uint16_t seq, const struct addr *target,
		    uint8_t buf[PACKET_SIZE])
{
	switch (way->how.kind) {
	case WATCH_ICMP:
		return write_echo(way, key, seq, buf);
	case WATCH_DNS:
		return write_dns(key, seq, buf);
	case WATCH_TCP:
		return write_syn(way, key, seq, target, buf);
	case WATCH_ARP:
		return target->family == AF_INET ?
		       write_arp(way, target, buf) :
		       write_solicitation(way, target, buf);
	case WATCH_NONE:
		break;
	}
	return 0;
}

/* --- what comes in --- */

/* The rest to read. */
struct piece {
	const uint8_t *at;
	size_t len;
};

/* Take the IPv4 header off, if there is one whole and it is of @protocol. */
static bool skip_ip(struct piece *p, uint8_t protocol, size_t addr_at,
		    struct addr *addr)
{
	size_t head = p->len ? (p->at[0] & 15U) * 4 : 0;

	if (p->len < IP_HEADER || p->at[0] >> 4 != 4 || head < IP_HEADER ||
	    p->len < head || p->at[9] != protocol)
		return false;
	addr->family = AF_INET;
	memcpy(&addr->v4, p->at + addr_at, sizeof(addr->v4));
	p->at += head;
	p->len -= head;
	return true;
}

/* The same of an IPv6 header: to whom the packet was. A packet with more
 * headers than that one is not ours.
 */
static bool skip_ip6(struct piece *p, uint8_t protocol, struct addr *to)
{
	if (p->len < IP6_HEADER || p->at[0] >> 4 != 6 || p->at[6] != protocol)
		return false;
	to->family = AF_INET6;
	memcpy(&to->v6, p->at + 24, sizeof(to->v6));
	p->at += IP6_HEADER;
	p->len -= IP6_HEADER;
	return true;
}

/* A question of ours that a router has sent back. */
static enum packet_says read_refusal(const struct packet_way *way,
				     const struct packet_key *key,
				     struct piece p,
				     struct packet_reply *reply)
{
	const struct icmp_words *is = icmp_of(way);
	struct addr target = { 0 };

	p.at += ICMP_HEADER;
	p.len -= ICMP_HEADER;
	if (!(way->local.family == AF_INET6 ?
	      skip_ip6(&p, is->protocol, &target) :
	      skip_ip(&p, is->protocol, 16, &target)) ||
	    p.len < ICMP_HEADER || p.at[0] != is->echo ||
	    get16(p.at + 4) != key->id)
		return PACKET_FOREIGN;
	reply->target = target;
	reply->seq = get16(p.at + 6);
	return PACKET_REFUSAL;
}

/* A socket for echoes alone has given them another id. */
static enum packet_says read_icmp(const struct packet_way *way,
				  const struct packet_key *key, struct piece p,
				  struct packet_reply *reply)
{
	const struct icmp_words *is = icmp_of(way);
	bool raw = way->form == PACKET_IP || way->form == PACKET_IP6;

	if (p.len < ICMP_HEADER)
		return PACKET_FOREIGN;
	if (p.at[0] == is->unreachable || p.at[0] == is->exceeded)
		return read_refusal(way, key, p, reply);
	if (p.at[0] != is->reply || (raw && get16(p.at + 4) != key->id) ||
	    p.len < ICMP_HEADER + sizeof(key->cookie) ||
	    memcmp(p.at + ICMP_HEADER, &key->cookie, sizeof(key->cookie)))
		return PACKET_FOREIGN;
	reply->seq = get16(p.at + 6);
	return PACKET_ANSWER;
}

static enum packet_says read_dns(const struct packet_key *key, struct piece p,
				 struct packet_reply *reply)
{
	if (p.len < DNS_HEADER || !(p.at[2] & DNS_RESPONSE))
		return PACKET_FOREIGN;
	reply->seq = get16(p.at) ^ key->secret;
	return PACKET_ANSWER;
}

/* Also a refused connection is an answer of the target. */
static enum packet_says read_tcp(const struct packet_key *key, uint16_t port,
				 struct piece p, struct packet_reply *reply)
{
	uint32_t number;

	if (p.len < TCP_HEADER || get16(p.at) != port ||
	    get16(p.at + 2) != packet_port(key) || !(p.at[13] & TCP_ACK) ||
	    !(p.at[13] & (TCP_SYN | TCP_RST)))
		return PACKET_FOREIGN;
	number = get32(p.at + 8) - 1;
	if (number >> 16 != key->secret)
		return PACKET_FOREIGN;
	reply->seq = (uint16_t)number;
	return PACKET_ANSWER;
}

/* A sender that says it is there is there. */
static enum packet_says read_arp(const struct packet_way *way, struct piece p,
				 struct packet_reply *reply)
{
	if (p.len < ARP_SIZE || get16(p.at) != ARPHRD_ETHER ||
	    get16(p.at + 2) != ETH_P_IP || p.at[4] != sizeof(way->mac) ||
	    p.at[5] != sizeof(way->local.v4) ||
	    get16(p.at + 6) != ARPOP_REPLY ||
	    memcmp(p.at + ARP_TARGET + sizeof(way->mac), &way->local.v4,
		   sizeof(way->local.v4)))
		return PACKET_FOREIGN;
	reply->target.family = AF_INET;
	memcpy(&reply->target.v4, p.at + ARP_SENDER + sizeof(way->mac),
	       sizeof(reply->target.v4));
	reply->any = true;
	return PACKET_ANSWER;
}

static enum packet_says read_advertisement(struct piece p,
					   struct packet_reply *reply)
{
	if (p.len < NEIGHBOUR_TARGET + sizeof(reply->target.v6) ||
	    p.at[0] != ADVERT)
		return PACKET_FOREIGN;
	reply->target.family = AF_INET6;
	memcpy(&reply->target.v6, p.at + NEIGHBOUR_TARGET,
	       sizeof(reply->target.v6));
	reply->any = true;
	return PACKET_ANSWER;
}

enum packet_says packet_read(const struct packet_way *way,
			     const struct packet_key *key, const uint8_t *buf,
			     size_t len, struct packet_reply *reply)
{
	struct piece p = { buf, len };
	uint8_t protocol = way->how.kind == WATCH_TCP ? IPPROTO_TCP :
							IPPROTO_ICMP;

	*reply = (struct packet_reply){ .seq = 0 };
	if (way->form == PACKET_IP &&
	    !skip_ip(&p, protocol, 12, &reply->target))
		return PACKET_FOREIGN;
	switch (way->how.kind) {
	case WATCH_ICMP:
		return read_icmp(way, key, p, reply);
	case WATCH_DNS:
		return read_dns(key, p, reply);
	case WATCH_TCP:
		return read_tcp(key, way->how.port, p, reply);
	case WATCH_ARP:
		return way->local.family == AF_INET ?
		       read_arp(way, p, reply) : read_advertisement(p, reply);
	case WATCH_NONE:
		break;
	}
	return PACKET_FOREIGN;
}
