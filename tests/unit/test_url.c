/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/hook/url.h"

#include <time.h>

#include "names.h"
#include "suite.h"

#define LOOPBACK "127.0.0.0/8 ::1/128"

static const struct {
	const char *name, *addresses;
} names[] = {
	{"public.test", "8.8.8.8 2606:4700:4700::1111"},
	{"public4.test", "8.8.8.8"},
	{"inside.test", "127.0.0.1"},
	{"metadata.test", "169.254.169.254"},
	{"mixed.test", "8.8.8.8 10.0.0.1"},
	{"mixed-last.test", "8.8.8.8 2606:4700:4700::1111 8.8.4.4 fd00::1"},
	{"mapped.test", "::ffff:10.0.0.1"},
	{"slow.test", "slow"},
};

static const char *name_meaning(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].addresses;
	return NULL;
}

static const struct {
	const char *url;
	enum url_result result;
} cases[] = {
	{"https://example.com", URL_OK},
	{"https://example.com/", URL_OK},
	{"https://example.com:8443/hooks?a=b&c=%20", URL_OK},
	{"HTTPS://EXAMPLE.com/x", URL_OK},
	{"https://xn--bcher-kva.example/", URL_OK},
	{"https://a@b.example/", URL_USER_INFO},
	{"https://a:b@c.example/", URL_USER_INFO},
	{"https://@c.example/", URL_USER_INFO},
	{"https://:@c.example/", URL_USER_INFO},
	{"https://8.8.8.8@127.0.0.1/", URL_USER_INFO},
	{"https://c.example/@b", URL_OK},
	{"https://c.example/?@b", URL_OK},
	{"https://c.example?@b", URL_OK},
	{"http://example.com/", URL_NOT_HTTPS},
	{"httpss://example.com/", URL_NOT_HTTPS},
	{"ftp://example.com/", URL_NOT_HTTPS},
	{"file:///etc/passwd", URL_NOT_HTTPS},
	{"gopher://127.0.0.1/", URL_NOT_HTTPS},
	{"", URL_MALFORMED},
	{"https", URL_MALFORMED},
	{"https:", URL_MALFORMED},
	{"https:/", URL_MALFORMED},
	{"https://", URL_MALFORMED},
	{"https:///example.com/", URL_MALFORMED},
	{"https:/example.com/", URL_MALFORMED},
	{"https:example.com/", URL_MALFORMED},
	{"://example.com/", URL_MALFORMED},
	{"//example.com/", URL_MALFORMED},
	{"/hooks", URL_MALFORMED},
	{"example.com/hooks", URL_MALFORMED},
	{"https://:443/", URL_MALFORMED},
	{"https://?x", URL_MALFORMED},
	{"https://example.com/#there", URL_MALFORMED},
	{"https://example.com:0/", URL_MALFORMED},
	{"https://example.com:65536/", URL_MALFORMED},
	{"https://example.com:x/", URL_MALFORMED},
	{"https://example.com:-1/", URL_MALFORMED},
	{" https://example.com/", URL_MALFORMED},
	{"https://example.com/ x", URL_MALFORMED},
	{"https://exa mple.com/", URL_MALFORMED},
	{"https://example.com/\r\nHost: x", URL_MALFORMED},
	{"https://example.com/\x01", URL_MALFORMED},
	{"https://example.com/\x7f", URL_MALFORMED},
	{"https://b\xc3\xbc"
	 "cher.example/",
	 URL_MALFORMED},
	{"https://example.com\\@127.0.0.1/", URL_MALFORMED},
	{"https://[::1", URL_MALFORMED},
	{"https://[]/", URL_MALFORMED},
	{"https://[fe80::1%25eth0]/", URL_MALFORMED},
	{"https://[::1]x/", URL_MALFORMED},
	{"https://example%2ecom/", URL_OK},
	/* Every spelling of 127.0.0.1 and its like that libcurl reads. */
	{"https://127.0.0.1/", URL_INSIDE},
	{"https://127.1/", URL_INSIDE},
	{"https://2130706433/", URL_INSIDE},
	{"https://0x7f000001/", URL_INSIDE},
	{"https://0x7f.1/", URL_INSIDE},
	{"https://0177.0.0.1/", URL_INSIDE},
	{"https://017700000001/", URL_INSIDE},
	{"https://%31%32%37.0.0.1/", URL_INSIDE},
	{"https://0/", URL_INSIDE},
	{"https://0.0.0.0:443/", URL_INSIDE},
	{"https://10.1.2.3/", URL_INSIDE},
	{"https://169.254.169.254/latest/meta-data", URL_INSIDE},
	{"https://255.255.255.255/", URL_INSIDE},
	{"https://[::]/", URL_INSIDE},
	{"https://[::1]/", URL_INSIDE},
	{"https://[0:0:0:0:0:0:0:1]:8443/", URL_INSIDE},
	{"https://[::ffff:127.0.0.1]/", URL_INSIDE},
	{"https://[::ffff:7f00:1]/", URL_INSIDE},
	{"https://[::127.0.0.1]/", URL_INSIDE},
	{"https://[64:ff9b::7f00:1]/", URL_INSIDE},
	{"https://[2002:7f00:1::]/", URL_INSIDE},
	{"https://[fd00:ec2::254]/", URL_INSIDE},
	{"https://[fe80::1]/", URL_INSIDE},
	{"https://[ff02::1]/", URL_INSIDE},
	{"https://8.8.8.8/", URL_OK},
	{"https://[2606:4700:4700::1111]/", URL_OK},
};

START_TEST(checks_the_text)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(url_check(cases[i].url, "") == cases[i].result,
			      "%s: %d", cases[i].url,
			      (int)url_check(cases[i].url, ""));
	ck_assert_int_eq(url_check("https://127.0.0.1:8443/", LOOPBACK),
			 URL_OK);
	ck_assert_int_eq(url_check("https://[::1]/", LOOPBACK), URL_OK);
	ck_assert_int_eq(url_check("https://10.0.0.1/", LOOPBACK), URL_INSIDE);
}
END_TEST

START_TEST(checks_the_length)
{
	char url[URL_MAX + 2] = "https://example.com/";

	memset(url + strlen(url), 'a', URL_MAX - strlen(url));
	ck_assert_uint_eq(strlen(url), URL_MAX);
	ck_assert_int_eq(url_check(url, ""), URL_OK);
	url[URL_MAX] = 'a';
	ck_assert_int_eq(url_check(url, ""), URL_MALFORMED);
}
END_TEST

static void check_resolve(const char *url, const char *networks,
			  enum url_result expected)
{
	enum url_result result = url_resolve(url, networks);

	ck_assert_msg(result == expected, "%s: %d", url, (int)result);
}

START_TEST(looks_names_up)
{
	check_resolve("http://public.test/", "", URL_NOT_HTTPS);
	check_resolve("https://public.test/", "", URL_OK);
	check_resolve("https://public4.test:9/", "", URL_OK);
	check_resolve("https://8.8.8.8/", "", URL_OK);
	check_resolve("https://[2606:4700:4700::1111]/", "", URL_OK);
	check_resolve("https://nowhere.test/", "", URL_UNRESOLVED);
	check_resolve("https://inside.test/", "", URL_INSIDE);
	check_resolve("https://inside.test/", LOOPBACK, URL_OK);
	check_resolve("https://metadata.test/", LOOPBACK, URL_INSIDE);
	check_resolve("https://mapped.test/", "", URL_INSIDE);
	/* One address inside is one too many, wherever it stands. */
	check_resolve("https://mixed.test/", "", URL_INSIDE);
	check_resolve("https://mixed-last.test/", "", URL_INSIDE);
	/* What libcurl answers itself. */
	check_resolve("https://localhost/", "", URL_INSIDE);
	check_resolve("https://a.localhost/", "", URL_INSIDE);
	check_resolve("https://localhost/", LOOPBACK, URL_OK);
}
END_TEST

START_TEST(waits_two_seconds_for_a_name)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	check_resolve("https://slow.test/", "", URL_UNRESOLVED);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ck_assert_int_ge(to.tv_sec - from.tv_sec, 1);
	ck_assert_int_le(to.tv_sec - from.tv_sec, 5);
}
END_TEST

/* The environment's proxy would look the name up itself. */
START_TEST(asks_no_proxy)
{
	setenv("https_proxy", "http://8.8.8.8:3128", 1);
	setenv("ALL_PROXY", "http://8.8.8.8:3128", 1);
	check_resolve("https://inside.test/", "", URL_INSIDE);
}
END_TEST

SUITE("url", checks_the_text, checks_the_length, looks_names_up,
      waits_two_seconds_for_a_name, asks_no_proxy)
