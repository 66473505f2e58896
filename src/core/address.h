/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ADDRESS_H
#define CORE_ADDRESS_H

#include <stdbool.h>

/* An IP address in network order; IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2),
 * so that an IPv4 peer of a dual-stack listener is the same address. */
struct address {
	unsigned char ip[16];
};

/* "192.0.2.1" or "2001:db8::1", without brackets, zone or port. */
bool address_parse(struct address *address, const char *text);

/*
 * Whether it is an address of the open Internet: global unicast outside every
 * block that the IANA IPv4 and IPv6 Special-Purpose Address Registries or
 * multicast take away, and no cloud's metadata service. An IPv4 address inside
 * a NAT64 one (RFC 6052, 64:ff9b::/96) is judged itself; other forms of IPv4
 * in IPv6 (6to4, Teredo, IPv4-compatible, local NAT64) are not public.
 */
bool address_is_public(const struct address *address);

/*
 * Whether it lies in one of the space-separated CIDR networks, each an address
 * or address/bits. IPv4 addresses lie in IPv4 networks only. What is not a
 * network holds nothing.
 */
bool address_in_networks(const struct address *address, const char *networks);
/* Whether each of the space-separated words is such a network. */
bool networks_valid(const char *networks);

#endif
