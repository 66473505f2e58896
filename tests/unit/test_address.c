/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/address.h"

#include <stdint.h>
#include <stdio.h>

#include "suite.h"

static struct address parsed(const char *text)
{
	struct address address;

	ck_assert_msg(address_parse(&address, text), "%s", text);
	return address;
}

START_TEST(parses)
{
	static const char *const bad[] = {
		"",	     "1",	  "1.2.3",	  "1.2.3.4.5",
		"256.1.1.1", "01.2.3.4",  "0x7f.0.0.1",	  " 1.2.3.4",
		"1.2.3.4 ",  "[::1]",	  "fe80::1%eth0", "::1/128",
		"1::2::3",   "localhost", ":::",
	};
	struct address a, b;

	a = parsed("192.0.2.1");
	b = parsed("::ffff:192.0.2.1");
	ck_assert_mem_eq(a.ip, b.ip, 16);
	b = parsed("::FFFF:c000:201");
	ck_assert_mem_eq(a.ip, b.ip, 16);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!address_parse(&a, bad[i]), "%s", bad[i]);
}
END_TEST

/* Each block's neighbours, where they are not of another block, and its
 * first and last address. */
static const struct {
	const char *before, *first, *last, *after;
} blocks[] = {
	{NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
	{"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
	{"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
	{"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
	{"168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"},
	{"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
	{"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
	{"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
	{"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
	{"192.31.195.255", "192.31.196.0", "192.31.196.255", "192.31.197.0"},
	{"192.52.192.255", "192.52.193.0", "192.52.193.255", "192.52.194.0"},
	{"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
	{"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
	{"192.175.47.255", "192.175.48.0", "192.175.48.255", "192.175.49.0"},
	{"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
	{"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
	{"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
	{"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL},
	{NULL, "240.0.0.0", "255.255.255.255", NULL},
	/* unspecified, loopback, IPv4-compatible */
	{NULL, "::", "::fffe:ffff:ffff", NULL},
	{NULL, "::7f00:1", "::808:808", NULL},
	/* mapped: as the IPv4 inside */
	{"::ffff:9.255.255.255", "::ffff:10.0.0.0", "::ffff:10.255.255.255",
	 "::ffff:11.0.0.0"},
	/* NAT64: likewise; the local one is never public */
	{"64:ff9b::9.255.255.255", "64:ff9b::10.0.0.0",
	 "64:ff9b::10.255.255.255", "64:ff9b::11.0.0.0"},
	{"64:ff9b::8.8.8.8", "64:ff9b::1:0:0", "64:ff9b:0:ffff::8.8.8.8", NULL},
	{NULL, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:808:808", NULL},
	{NULL, "100::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
	/* Teredo, benchmarks, ORCHID */
	{"2000:ffff:ffff::", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
	 "2001:200::"},
	{"2001:db7:ffff::", "2001:db8::", "2001:db8:ffff:ffff::", "2001:db9::"},
	{"2001:ffff::", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	 "2003::"},
	{NULL, "2002:808:808::1", "2002:7f00:1::", NULL},
	{"2620:4f:7fff::", "2620:4f:8000::", "2620:4f:8000:ffff:ffff::",
	 "2620:4f:8001::"},
	{"3ffe:ffff::", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
	 "3fff:1000::"},
	{"3fff:ffff::", "4000::", "5f00::", NULL},
	{NULL, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	{NULL, "fe80::1", "fec0::1", NULL},
	{NULL, "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	/* metadata services */
	{NULL, "169.254.169.254", "fd00:ec2::254", NULL},
	{NULL, "100.100.100.200", "fd20:ce::254", NULL},
	{"8.8.8.8", "192.0.0.192", "::ffff:169.254.169.254",
	 "2606:4700:4700::1111"},
};

static void check_public(const char *text, bool expected)
{
	struct address address;

	if (text == NULL)
		return;
	address = parsed(text);
	ck_assert_msg(address_is_public(&address) == expected, "%s", text);
}

START_TEST(what_is_public)
{
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		check_public(blocks[i].before, true);
		check_public(blocks[i].first, false);
		check_public(blocks[i].last, false);
		check_public(blocks[i].after, true);
	}
}
END_TEST

static const struct {
	const char *address, *networks;
	bool in;
} cases[] = {
	{"10.1.2.3", "", false},
	{"10.1.2.3", " ", false},
	{"10.1.2.3", "10.0.0.0/8", true},
	{"10.1.2.3", "10.9.9.9/8", true},
	{"10.1.2.3", "  192.168.0.0/16   10.0.0.0/8 ", true},
	{"11.1.2.3", "192.168.0.0/16 10.0.0.0/8", false},
	{"10.1.2.3", "10.1.2.3", true},
	{"10.1.2.4", "10.1.2.3", false},
	{"10.1.2.3", "10.1.2.2/31", true},
	{"10.1.2.4", "10.1.2.2/31", false},
	{"10.1.2.3", "10.1.2.3/32", true},
	{"10.1.2.3", "0.0.0.0/0", true},
	{"10.1.2.3", "0.0.0.0/1", true},
	{"200.1.2.3", "0.0.0.0/1", false},
	{"10.1.2.3", "10.0.0.0/33", false},
	{"10.1.2.3", "10.0.0.0/", false},
	{"10.1.2.3", "10.0.0.0/-1", false},
	{"10.1.2.3", "10.0.0.0/8x 10.0.0.0/+8 10/8", false},
	{"10.1.2.3", "10.0.0.0/0000008", false},
	/* A dual-stack listener's way to say it. */
	{"::ffff:10.1.2.3", "10.0.0.0/8", true},
	{"10.1.2.3", "::ffff:10.0.0.0/104", true},
	/* IPv4 is not a part of IPv6's networks. */
	{"10.1.2.3", "::/0", false},
	{"10.1.2.3", "::ffff:0:0/95", false},
	{"::1", "0.0.0.0/0", false},
	{"2001:db8::1", "::/0", true},
	{"::1", "::1/128", true},
	{"::1", "::1", true},
	{"::2", "::1/128", false},
	{"::2", "::1/129", false},
	{"2001:db8::1", "2001:db8::/32", true},
	{"2001:db9::1", "2001:db8::/32", false},
	{"2001:db9::1", "2001:db8::/31", true},
	{"fe80::1", "fe80::%eth0/64", false},
};

START_TEST(networks)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address address = parsed(cases[i].address);

		ck_assert_msg(
			address_in_networks(&address, cases[i].networks) ==
				cases[i].in,
			"%s in \"%s\"", cases[i].address, cases[i].networks);
	}
}
END_TEST

/* Every prefix length holds what shares so many bits, and no other. */
START_TEST(each_prefix_length)
{
	struct address base = parsed("a5a5:a5a5:a5a5:a5a5:a5a5:a5a5:a5a5:a5a5");
	char network[64];

	for (unsigned bits = 0; bits <= 128; bits++) {
		snprintf(network, sizeof(network),
			 "a5a5:a5a5:a5a5:a5a5:a5a5:a5a5:a5a5:a5a5/%u", bits);
		for (unsigned flipped = 0; flipped < 128; flipped++) {
			struct address other = base;

			other.ip[flipped / 8] ^=
				(unsigned char)(0x80 >> flipped % 8);
			ck_assert(address_in_networks(&other, network) ==
				  (flipped >= bits));
		}
	}
}
END_TEST

START_TEST(lists_of_networks)
{
	ck_assert(networks_valid(""));
	ck_assert(networks_valid("  "));
	ck_assert(networks_valid("127.0.0.0/8 ::1/128"));
	ck_assert(networks_valid(" 127.0.0.1  ::1 "));
	ck_assert(!networks_valid("127.0.0.0/8,::1/128"));
	ck_assert(!networks_valid("127.0.0.0/8 localhost"));
	ck_assert(!networks_valid("127.0.0.0/33"));
	ck_assert(!networks_valid("::/129"));
	ck_assert(!networks_valid("/8"));
	ck_assert(!networks_valid("127.0.0.0/8 /"));
	ck_assert(!networks_valid("1111:2222:3333:4444:5555:6666:7777:8888:9999"
				  ":aaaa:bbbb:cccc/8"));
}
END_TEST

SUITE("address", parses, what_is_public, networks, each_prefix_length,
      lists_of_networks)
