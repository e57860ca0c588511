// SPDX-License-Identifier: MIT
/* The questions of mwan-rules watch as packets, and what is taken for an answer. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "unit.h"
#include "watch/packet.h"

enum { IP = 20, IP6 = 40, ICMP = 8, TCP = 20 };

static const struct packet_key key = { 0x1234, 0xbeef, 0x0123456789abcdefULL };
static struct packet_way icmp = { .how = { WATCH_ICMP, 0 } };
static struct packet_way dns = { .how = { WATCH_DNS, 0 } };
static struct packet_way tcp = { .how = { WATCH_TCP, 443 } };
static struct packet_way icmp6 = { .how = { WATCH_ICMP, 0 } };
static struct packet_way tcp6 = { .how = { WATCH_TCP, 443 } };
static struct packet_way arp = { .how = { WATCH_ARP, 0 },
				 .mac = { 2, 0, 0, 0, 0, 1 } };
static struct packet_way nd = { .how = { WATCH_ARP, 0 },
				.mac = { 2, 0, 0, 0, 0, 1 } };
static struct addr here, there, here6, there6;
static uint8_t packet[PACKET_READ];
static size_t len;
static struct packet_reply reply;

static void put16(size_t at, unsigned int value)
{
	packet[at] = (uint8_t)(value >> 8);
	packet[at + 1] = (uint8_t)value;
}

static unsigned int get16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

/* RFC 1071: with a right checksum in it the sum is all ones. */
static unsigned int sum(const uint8_t *at, size_t n, unsigned int with)
{
	for (; n > 1; n -= 2, at += 2)
		with += get16(at);
	while (with >> 16)
		with = (with & 0xffff) + (with >> 16);
	return with;
}

static void put_ip(size_t at, uint8_t protocol, const struct addr *from,
		   const struct addr *to)
{
	memset(packet + at, 0, IP);
	packet[at] = 0x45;
	packet[at + 9] = protocol;
	memcpy(packet + at + 12, &from->v4, 4);
	memcpy(packet + at + 16, &to->v4, 4);
}

static enum packet_says take(struct packet_way *way, enum packet_form form,
			     size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);
	enum packet_says says;

	way->form = form;
	/* Of just this size: a sanitizer sees what reads on. */
	memcpy(exact, packet, n);
	says = packet_read(way, &key, exact, n, &reply);
	free(exact);
	return says;
}

/* Nothing that is cut off is an answer, at whatever length up to @least. */
static bool none_shorter(struct packet_way *way, enum packet_form form,
			 size_t least)
{
	size_t n;

	for (n = 0; n < least; n++)
		if (take(way, form, n) != PACKET_FOREIGN)
			return false;
	return true;
}

static void echo_reply(uint16_t seq)
{
	put_ip(0, IPPROTO_ICMP, &there, &here);
	len = packet_write(&icmp, &key, seq, &there, packet + IP);
	packet[IP] = 0;
}

static void test_icmp(void)
{
	uint8_t question[PACKET_SIZE];
	size_t n = packet_write(&icmp, &key, 7, &there, question);

	ok(n == 40 && question[0] == 8 && sum(question, n, 0) == 0xffff,
	   "an echo of %zu bytes, none of them missing", n);
	echo_reply(7);
	ok(take(&icmp, PACKET_IP, IP + len) == PACKET_ANSWER &&
	   reply.seq == 7 && addr_equal(&reply.target, &there),
	   "its answer");
	ok(none_shorter(&icmp, PACKET_IP, IP + ICMP + 8), "cut off it is none");
	put16(IP + 4, 0x4321);
	ok(take(&icmp, PACKET_IP, IP + len) == PACKET_FOREIGN,
	   "with another id it is another program's");
	ok(take(&icmp, PACKET_BARE, IP + len) == PACKET_FOREIGN,
	   "with a header that was not expected it is none");
	memmove(packet, packet + IP, len);
	ok(take(&icmp, PACKET_BARE, len) == PACKET_ANSWER && reply.seq == 7,
	   "a socket for echoes gives the id itself");
	packet[ICMP]++;
	ok(take(&icmp, PACKET_BARE, len) == PACKET_FOREIGN,
	   "with another cookie nobody has seen the question");
	echo_reply(7);
	packet[IP] = 8;
	ok(take(&icmp, PACKET_IP, IP + len) == PACKET_FOREIGN,
	   "somebody else's question is no answer");
}

static void test_refusal(void)
{
	size_t inner = IP + ICMP;

	put_ip(0, IPPROTO_ICMP, &here, &here);
	memset(packet + IP, 0, ICMP);
	packet[IP] = 3;
	put_ip(inner, IPPROTO_ICMP, &here, &there);
	packet_write(&icmp, &key, 900, &there, packet + inner + IP);
	len = inner + IP + ICMP;
	ok(take(&icmp, PACKET_IP, len) == PACKET_REFUSAL && reply.seq == 900 &&
	   addr_equal(&reply.target, &there), "a question that was sent back");
	ok(none_shorter(&icmp, PACKET_IP, len), "cut off it is none");
	packet[IP] = 5;
	ok(take(&icmp, PACKET_IP, len) == PACKET_FOREIGN,
	   "a redirect is no refusal");
	packet[IP] = 11;
	packet[inner + 9] = IPPROTO_UDP;
	ok(take(&icmp, PACKET_IP, len) == PACKET_FOREIGN,
	   "another program's packet was refused");
}

static void test_dns(void)
{
	len = packet_write(&dns, &key, 77, &there, packet);
	ok(len == 17 && get16(packet + 4) == 1 && get16(packet + 13) == 2,
	   "a question for the root's name servers");
	ok(take(&dns, PACKET_BARE, len) == PACKET_FOREIGN,
	   "which is no answer");
	packet[2] |= 0x80;
	packet[3] = 5;
	ok(take(&dns, PACKET_BARE, len) == PACKET_ANSWER && reply.seq == 77,
	   "a refusal of the server's is an answer");
	ok(none_shorter(&dns, PACKET_BARE, 12), "cut off it is none");
}

static void test_tcp(void)
{
	unsigned int ends;

	len = packet_write(&tcp, &key, 3, &there, packet);
	ends = sum((const uint8_t *)&here.v4, 4, 0) +
	       sum((const uint8_t *)&there.v4, 4, 0) + IPPROTO_TCP + TCP;
	ok(len == TCP && packet[13] == 2 && sum(packet, len, ends) == 0xffff,
	   "a SYN with the right checksum");
	ok(get16(packet) == packet_port(&key) && get16(packet) >= 61000 &&
	   get16(packet + 2) == 443, "from a port that nobody gets");
	put_ip(0, IPPROTO_TCP, &there, &here);
	memset(packet + IP, 0, TCP);
	put16(IP, 443);
	put16(IP + 2, packet_port(&key));
	put16(IP + 8, key.secret);
	put16(IP + 10, 3 + 1);
	packet[IP + 12] = 0x50;
	packet[IP + 13] = 0x12;
	ok(take(&tcp, PACKET_IP, IP + TCP) == PACKET_ANSWER && reply.seq == 3 &&
	   addr_equal(&reply.target, &there), "it is accepted");
	packet[IP + 13] = 0x14;
	ok(take(&tcp, PACKET_IP, IP + TCP) == PACKET_ANSWER && reply.seq == 3,
	   "it is reset");
	ok(none_shorter(&tcp, PACKET_IP, IP + TCP), "cut off it is none");
	packet[IP + 13] = 0x10;
	ok(take(&tcp, PACKET_IP, IP + TCP) == PACKET_FOREIGN,
	   "of another connection");
	packet[IP + 13] = 0x12;
	put16(IP, 80);
	ok(take(&tcp, PACKET_IP, IP + TCP) == PACKET_FOREIGN,
	   "from another port");
	put16(IP, 443);
	put16(IP + 8, 0xdead);
	ok(take(&tcp, PACKET_IP, IP + TCP) == PACKET_FOREIGN,
	   "to a question that nobody has asked");
	/* 0xffff + 1 goes on in the secret. */
	put16(IP + 8, key.secret + 1);
	put16(IP + 10, 0);
	ok(take(&tcp, PACKET_IP, IP + TCP) == PACKET_ANSWER &&
	   reply.seq == 0xffff, "where the numbers wrap");
}

/* Every header length that IPv4 can say. */
static void test_headers(void)
{
	unsigned int words, good = 0;

	for (words = 0; words < 16; words++) {
		echo_reply(9);
		memmove(packet + words * 4, packet + IP, len);
		packet[0] = (uint8_t)(0x40 | words);
		if (words >= 3)
			packet[9] = IPPROTO_ICMP;
		good += take(&icmp, PACKET_IP, words * 4 + len) ==
			PACKET_ANSWER;
	}
	ok(good == 11, "headers of 20 to 60 bytes");
}

static void put_ip6(size_t at, uint8_t protocol, const struct addr *to)
{
	memset(packet + at, 0, IP6);
	packet[at] = 0x60;
	packet[at + 6] = protocol;
	memcpy(packet + at + 24, &to->v6, 16);
}

/* The kernel's raw sockets of IPv6 hand out no header. */
static void test_icmp6(void)
{
	len = packet_write(&icmp6, &key, 7, &there6, packet);
	ok(len == 40 && packet[0] == 128, "IPv6: an echo, of its own type");
	packet[0] = 129;
	ok(take(&icmp6, PACKET_IP6, len) == PACKET_ANSWER && reply.seq == 7 &&
	   !reply.target.family, "IPv6: its answer; the socket knows of whom");
	ok(none_shorter(&icmp6, PACKET_IP6, ICMP + 8),
	   "IPv6: cut off it is none");
	ok(take(&icmp, PACKET_BARE, len) == PACKET_FOREIGN,
	   "IPv6: no answer to a question of IPv4");
	put16(4, 0x4321);
	ok(take(&icmp6, PACKET_IP6, len) == PACKET_FOREIGN,
	   "IPv6: with another id it is another program's");
	ok(take(&icmp6, PACKET_BARE6, len) == PACKET_ANSWER,
	   "IPv6: a socket for echoes gives the id itself");
	memset(packet, 0, ICMP);
	packet[0] = 1;
	put_ip6(ICMP, IPPROTO_ICMPV6, &there6);
	packet_write(&icmp6, &key, 900, &there6, packet + ICMP + IP6);
	len = ICMP + IP6 + ICMP;
	ok(take(&icmp6, PACKET_IP6, len) == PACKET_REFUSAL &&
	   reply.seq == 900 && addr_equal(&reply.target, &there6),
	   "IPv6: a question that was sent back");
	ok(none_shorter(&icmp6, PACKET_IP6, len), "IPv6: cut off it is none");
	packet[0] = 2;
	ok(take(&icmp6, PACKET_IP6, len) == PACKET_FOREIGN,
	   "IPv6: too big is no refusal");
	packet[0] = 3;
	packet[ICMP + 6] = IPPROTO_UDP;
	ok(take(&icmp6, PACKET_IP6, len) == PACKET_FOREIGN,
	   "IPv6: another program's packet was refused");
}

static void test_tcp6(void)
{
	len = packet_write(&tcp6, &key, 3, &there6, packet);
	ok(len == TCP && packet[13] == 2 && !get16(packet + 16),
	   "IPv6: a SYN, whose checksum is the kernel's");
	memset(packet, 0, TCP);
	put16(0, 443);
	put16(2, packet_port(&key));
	put16(8, key.secret);
	put16(10, 3 + 1);
	packet[12] = 0x50;
	packet[13] = 0x14;
	ok(take(&tcp6, PACKET_IP6, TCP) == PACKET_ANSWER && reply.seq == 3,
	   "IPv6: it is reset");
	ok(none_shorter(&tcp6, PACKET_IP6, TCP), "IPv6: cut off it is none");
}

static void test_arp(void)
{
	static const uint8_t mac[] = { 2, 0, 0, 0, 0, 9 };

	len = packet_write(&arp, &key, 3, &there, packet);
	ok(len == 28 && get16(packet + 6) == 1 &&
	   !memcmp(packet + 8, arp.mac, 6) &&
	   !memcmp(packet + 14, &here.v4, 4) &&
	   !memcmp(packet + 24, &there.v4, 4), "ARP: who has it?");
	ok(take(&arp, PACKET_BARE, len) == PACKET_FOREIGN,
	   "ARP: which is no answer");
	put16(6, 2);
	memcpy(packet + 8, mac, 6);
	memcpy(packet + 14, &there.v4, 4);
	memcpy(packet + 18, arp.mac, 6);
	memcpy(packet + 24, &here.v4, 4);
	ok(take(&arp, PACKET_BARE, len) == PACKET_ANSWER && reply.any &&
	   addr_equal(&reply.target, &there),
	   "ARP: who answers; to which question he does not say");
	ok(none_shorter(&arp, PACKET_BARE, len), "ARP: cut off it is none");
	packet[27]++;
	ok(take(&arp, PACKET_BARE, len) == PACKET_FOREIGN,
	   "ARP: an answer to somebody else");
	packet[27]--;
	packet[4] = 8;
	ok(take(&arp, PACKET_BARE, len) == PACKET_FOREIGN,
	   "ARP: of another kind of hardware");
}

static void test_neighbour(void)
{
	len = packet_write(&nd, &key, 3, &there6, packet);
	ok(len == 32 && packet[0] == 135 &&
	   !memcmp(packet + 8, &there6.v6, 16) && packet[24] == 1 &&
	   packet[25] == 1 && !memcmp(packet + 26, nd.mac, 6),
	   "a neighbour is solicited");
	packet[0] = 136;
	ok(take(&nd, PACKET_IP6, 24) == PACKET_ANSWER && reply.any &&
	   addr_equal(&reply.target, &there6), "he advertises himself");
	ok(none_shorter(&nd, PACKET_IP6, 24), "cut off it is none");
	packet[0] = 134;
	ok(take(&nd, PACKET_IP6, 24) == PACKET_FOREIGN,
	   "a router's own advertisement is no answer");
}

int main(void)
{
	addr_parse(&here, "192.0.2.200");
	addr_parse(&there, "198.51.100.255");
	addr_parse(&here6, "2001:db8::1");
	addr_parse(&there6, "2001:db8::ff00:2");
	icmp.local = dns.local = tcp.local = arp.local = here;
	icmp6.local = tcp6.local = nd.local = here6;
	test_icmp();
	test_refusal();
	test_dns();
	test_tcp();
	test_headers();
	test_icmp6();
	test_tcp6();
	test_arp();
	test_neighbour();
	return done();
}
