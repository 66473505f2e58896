/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/hook/sign.h"

#include <stdio.h>
#include <string.h>

#include "../../src/base/arena.h"
#include "../../src/base/secret.h"
#include "suite.h"

#define KEY_24 "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
#define PUBLISHED "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define PLAIN "plain secret: ~16+ chars!"
#define EVENT "{\"id\":\"evt_1\",\"data\":\"\xc3\xa9\"}"

/*
 * The first row's standard signature is the published example of Standard
 * Webhooks' libraries; all others come from Python's hmac module.
 */
static const struct {
	const char *secret, *id;
	int64_t timestamp;
	const char *body, *standard, *hex;
} vectors[] = {
	{PUBLISHED, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
	 "{\"test\": 2432232314}",
	 "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	 "80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c"},
	{PUBLISHED, "evt_1", 1776254400, "",
	 "v1,pejkj8/whzBJD7Hs/h0IlYnzXU1ajBJMHOpLWpfor4o=",
	 "da5f5865984e699a69cfec62ce49a76daf8ae4601b54a781fa13f3b2d3b2088a"},
	{KEY_24, "evt_1", 1776254400, EVENT,
	 "v1,Gi0bBytlE98SxdMzR96hjdkpc5ywgeE8we8J2/pEtnY=",
	 "1f8cb5231e526eddaa2d2bd67612389103a8c1d3359f13328bb4c93740fb7c93"},
	{PLAIN, "evt_1", 1776254400, EVENT,
	 "v1,X5tpIAPf69JxZ0Otizn5labC3iMFrj57t+buEDxMQtM=",
	 "7e7b44c1c04914c9eddbc644b585f82a08c50a8e89f61e2b55830a7d0b75af50"},
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){text, strlen(text)};
}

START_TEST(signs_as_others_do)
{
	struct arena *arena = arena_new(4096);
	struct signatures signatures;

	for (size_t i = 0; i < VECTORS; i++) {
		webhook_sign(arena, vectors[i].secret, NULL, vectors[i].id,
			     vectors[i].timestamp, bytes_of(vectors[i].body),
			     &signatures);
		ck_assert_str_eq(signatures.standard, vectors[i].standard);
		ck_assert_str_eq(signatures.hex, vectors[i].hex);
	}
	arena_free(arena);
}
END_TEST

/* The new secret's first, and the hex one is the new secret's alone. */
START_TEST(signs_twice_in_an_overlap)
{
	struct arena *arena = arena_new(4096);
	struct signatures signatures;
	char both[128];

	webhook_sign(arena, KEY_24, PLAIN, "evt_1", 1776254400, bytes_of(EVENT),
		     &signatures);
	snprintf(both, sizeof(both), "%s %s", vectors[2].standard,
		 vectors[3].standard);
	ck_assert_str_eq(signatures.standard, both);
	ck_assert_str_eq(signatures.hex, vectors[2].hex);
	arena_free(arena);
}
END_TEST

/* RFC 4231, test cases 1 and 6. */
START_TEST(hmac_vectors)
{
	unsigned char key[131], mac[32];
	char hex[65];

	memset(key, 0x0b, 20);
	hmac_sha256((struct bytes){key, 20}, bytes_of("Hi There"), mac);
	hex_encode(hex, mac, sizeof(mac));
	ck_assert_str_eq(hex, "b0344c61d8db38535ca8afceaf0bf12b"
			      "881dc200c9833da726e9376c2e32cff7");
	memset(key, 0xaa, sizeof(key));
	hmac_sha256((struct bytes){key, sizeof(key)},
		    bytes_of("Test Using Larger Than Block-Size Key - "
			     "Hash Key First"),
		    mac);
	hex_encode(hex, mac, sizeof(mac));
	ck_assert_str_eq(hex, "60e431591ee0b67f0d8a26aacbf5b77f"
			      "8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

static void check_secret(const char *secret, bool valid)
{
	struct arena *arena = arena_new(4096);

	ck_assert_msg(webhook_secret_valid(arena, secret) == valid, "%s",
		      secret);
	arena_free(arena);
}

START_TEST(which_secrets_are_taken)
{
	char text[300];

	/* 23, 24, 64 and 65 bytes. */
	check_secret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=", false);
	check_secret(KEY_24, true);
	check_secret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCU"
		     "mJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
		     true);
	check_secret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCU"
		     "mJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=",
		     false);
	/* Base64 or nothing behind the prefix. */
	check_secret("whsec_", false);
	check_secret("whsec_not base64 at all, but long enough", false);
	check_secret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY-", false);
	check_secret("WHSEC_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", true);
	/* Other secrets: 16 to 255 printable characters. */
	memset(text, '~', sizeof(text));
	for (size_t len = 0; len < 299; len++) {
		text[len] = '\0';
		check_secret(text, len >= 16 && len <= 255);
		text[len] = '~';
	}
	for (int c = 1; c < 256; c++) {
		snprintf(text, sizeof(text), "0123456789abcde%c", c);
		check_secret(text, c >= ' ' && c <= '~');
	}
}
END_TEST

START_TEST(new_secrets_differ)
{
	struct arena *arena = arena_new(4096);
	char *a = webhook_secret_new(arena), *b = webhook_secret_new(arena);

	ck_assert_uint_eq(strlen(a), 6 + 44);
	ck_assert(webhook_secret_valid(arena, a));
	ck_assert_str_ne(a, b);
	arena_free(arena);
}
END_TEST

SUITE("sign", signs_as_others_do, signs_twice_in_an_overlap, hmac_vectors,
      which_secrets_are_taken, new_secrets_differ)
