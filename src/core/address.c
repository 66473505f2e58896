/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

struct network {
	struct address base;
	unsigned bits;
};

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_ipv4(const struct address *address)
{
	return memcmp(address->ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static struct address mapped(const unsigned char ipv4[4])
{
	struct address address;

	memcpy(address.ip, mapped_prefix, sizeof(mapped_prefix));
	memcpy(address.ip + sizeof(mapped_prefix), ipv4, 4);
	return address;
}

bool address_parse(struct address *address, const char *text)
{
	unsigned char ipv4[4];

	if (inet_pton(AF_INET, text, ipv4) == 1) {
		*address = mapped(ipv4);
		return true;
	}
	return inet_pton(AF_INET6, text, address->ip) == 1;
}

/* Digits only, all len of them, at most most. */
static bool bits_parse(unsigned *bits, const char *text, size_t len,
		       unsigned most)
{
	if (len == 0 || len > 3)
		return false;
	*bits = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*bits = *bits * 10 + (unsigned)(text[i] - '0');
	}
	return *bits <= most;
}

static bool network_parse(struct network *network, const char *text, size_t len)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = memchr(text, '/', len);
	size_t host_len = slash == NULL ? len : (size_t)(slash - text);
	unsigned most = memchr(text, ':', len) == NULL ? 32 : 128;

	if (host_len >= sizeof(host))
		return false;
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	network->bits = most;
	if (!address_parse(&network->base, host) ||
	    (slash != NULL &&
	     !bits_parse(&network->bits, slash + 1, len - host_len - 1, most)))
		return false;
	network->bits += 128 - most;
	return true;
}

static bool in_network(const struct address *address,
		       const struct network *network)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	const unsigned char *a = address->ip, *b = network->base.ip;

	/* ::/0 is every IPv6 address, but 0.0.0.0/0 only is every IPv4 one. */
	if (network->bits < 96 && is_ipv4(address))
		return false;
	return memcmp(a, b, whole) == 0 &&
	       (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* The next word of a list, its length 0 at the end. */
static const char *word_next(const char *words, size_t *len)
{
	words += strspn(words, " ");
	*len = strcspn(words, " ");
	return words;
}

bool address_in_networks(const struct address *address, const char *networks)
{
	struct network network;
	size_t len;

	for (networks = word_next(networks, &len); len > 0;
	     networks = word_next(networks + len, &len))
		if (network_parse(&network, networks, len) &&
		    in_network(address, &network))
			return true;
	return false;
}

bool networks_valid(const char *networks)
{
	struct network network;
	size_t len;

	for (networks = word_next(networks, &len); len > 0;
	     networks = word_next(networks + len, &len))
		if (!network_parse(&network, networks, len))
			return false;
	return true;
}

/* A block by its first bytes: IPv4 in the four, IPv6 in as many as it needs. */
struct block {
	unsigned char base[6];
	unsigned char bits;
};

/* IANA IPv4 Special-Purpose Address Registry, with the multicast and reserved
 * space behind 224.0.0.0; those of it that are global are anycast services of
 * the network itself, which nobody's webhook is. */
static const struct block ipv4_special[] = {
	{{0, 0, 0, 0}, 8},	  /* this network, RFC 791 */
	{{10, 0, 0, 0}, 8},	  /* private, RFC 1918 */
	{{100, 64, 0, 0}, 10},	  /* shared, RFC 6598; Alibaba's metadata */
	{{127, 0, 0, 0}, 8},	  /* loopback, RFC 1122 */
	{{168, 63, 129, 16}, 32}, /* Azure's metadata */
	{{169, 254, 0, 0}, 16},	  /* link-local, RFC 3927; metadata */
	{{172, 16, 0, 0}, 12},	  /* private, RFC 1918 */
	{{192, 0, 0, 0}, 24},	  /* IETF protocols, RFC 6890; metadata */
	{{192, 0, 2, 0}, 24},	  /* documentation, RFC 5737 */
	{{192, 31, 196, 0}, 24},  /* AS112, RFC 7535 */
	{{192, 52, 193, 0}, 24},  /* AMT, RFC 7450 */
	{{192, 88, 99, 0}, 24},	  /* 6to4 relays, RFC 7526 */
	{{192, 168, 0, 0}, 16},	  /* private, RFC 1918 */
	{{192, 175, 48, 0}, 24},  /* AS112, RFC 7534 */
	{{198, 18, 0, 0}, 15},	  /* benchmarks, RFC 2544 */
	{{198, 51, 100, 0}, 24},  /* documentation, RFC 5737 */
	{{203, 0, 113, 0}, 24},	  /* documentation, RFC 5737 */
	{{224, 0, 0, 0}, 4},	  /* multicast, RFC 5771 */
	{{240, 0, 0, 0}, 4},	  /* reserved and broadcast, RFC 1112, 8190 */
};

/* IANA IPv6 Special-Purpose Address Registry within global unicast, 2000::/3
 * (RFC 4291); all else of IPv6 is loopback, unique-local, link-local,
 * multicast, or given to nobody. */
static const struct block ipv6_special[] = {
	{{0x20, 0x01, 0x00, 0x00}, 23}, /* IETF protocols, Teredo, ORCHID */
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation, RFC 3849 */
	{{0x20, 0x02}, 16},		/* 6to4, RFC 3056 */
	{{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48}, /* AS112, RFC 7534 */
	{{0x3f, 0xff, 0x00, 0x00}, 20}, /* documentation, RFC 9637 */
};

static bool in_block(const unsigned char *ip, const struct block *block)
{
	unsigned whole = block->bits / 8U, rest = block->bits % 8U;

	return memcmp(ip, block->base, whole) == 0 &&
	       (rest == 0 ||
		(ip[whole] ^ block->base[whole]) >> (8 - rest) == 0);
}

static bool ipv4_is_public(const unsigned char ip[4])
{
	for (size_t i = 0; i < sizeof(ipv4_special) / sizeof(*ipv4_special);
	     i++)
		if (in_block(ip, &ipv4_special[i]))
			return false;
	return true;
}

bool address_is_public(const struct address *address)
{
	static const struct block global = {{0x20}, 3};
	static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	const unsigned char *ip = address->ip;

	if (is_ipv4(address) || memcmp(ip, nat64, sizeof(nat64)) == 0)
		return ipv4_is_public(ip + 12);
	if (!in_block(ip, &global))
		return false;
	for (size_t i = 0; i < sizeof(ipv6_special) / sizeof(*ipv6_special);
	     i++)
		if (in_block(ip, &ipv6_special[i]))
			return false;
	return true;
}
