/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

#define KEY_A                                                                  \
	"000102030405060708090a0b0c0d0e0f"                                     \
	"101112131415161718191a1b1c1d1e1f"
#define KEY_B                                                                  \
	"ffeeddccbbaa99887766554433221100"                                     \
	"ffeeddccbbaa99887766554433221100"

static char path[] = "/tmp/test_secret.XXXXXX";
static char error[512];

static struct keyring *open_text(const char *text, mode_t mode)
{
	struct keyring *ring;
	int file;

	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	file = mkstemp(path);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(write(file, text, strlen(text)),
			 (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(file, mode), 0);
	(void)close(file);
	memset(error, 0, sizeof(error));
	ring = keyring_open(path, error, sizeof(error));
	(void)unlink(path);
	return ring;
}

static struct keyring *open_good(const char *text)
{
	struct keyring *ring = open_text(text, 0400);

	ck_assert_msg(ring != NULL, "%s", error);
	return ring;
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){text, strlen(text)};
}

static void check_hkdf(const char *key, const char *salt, const char *info,
		       const char *expected)
{
	unsigned char k[128], s[128], i[128], out[128];
	size_t len = strlen(expected) / 2;
	char hex[300];

	ck_assert(hex_decode(k, strlen(key) / 2, key));
	ck_assert(hex_decode(s, strlen(salt) / 2, salt));
	ck_assert(hex_decode(i, strlen(info) / 2, info));
	hkdf_sha256((struct bytes){k, strlen(key) / 2},
		    (struct bytes){s, strlen(salt) / 2},
		    (struct bytes){i, strlen(info) / 2}, out, len);
	hex_encode(hex, out, len);
	ck_assert_str_eq(hex, expected);
}

/* RFC 5869 appendix A, test cases 1 to 3. */
START_TEST(hkdf_vectors)
{
	check_hkdf("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		   "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
		   "3cb25f25faacd57a90434f64d0362f2a"
		   "2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		   "34007208d5b887185865");
	check_hkdf("000102030405060708090a0b0c0d0e0f"
		   "101112131415161718191a1b1c1d1e1f"
		   "202122232425262728292a2b2c2d2e2f"
		   "303132333435363738393a3b3c3d3e3f"
		   "404142434445464748494a4b4c4d4e4f",
		   "606162636465666768696a6b6c6d6e6f"
		   "707172737475767778797a7b7c7d7e7f"
		   "808182838485868788898a8b8c8d8e8f"
		   "909192939495969798999a9b9c9d9e9f"
		   "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		   "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
		   "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
		   "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
		   "e0e1e2e3e4e5e6e7e8e9eaebecedeeef"
		   "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		   "b11e398dc80327a1c8e7f78c596a4934"
		   "4f012eda2d4efad8a050cc4c19afa97c"
		   "59045a99cac7827271cb41c65e590e09"
		   "da3275600c2f09b8367793a9aca3db71"
		   "cc30c58179ec3e87c14c01d5c1f3434f"
		   "1d87");
	check_hkdf("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		   "8da4e775a563c18f715f802a063c5a31"
		   "b8a11f5c5ee1879ec3454e5f3c738d2d"
		   "9d201395faa4b61a96c8");
}
END_TEST

/* FIPS 180-2 appendix B.1, and the empty message. */
START_TEST(sha256_vectors)
{
	unsigned char out[32];
	char hex[65];

	sha256(bytes_of("abc"), out);
	hex_encode(hex, out, sizeof(out));
	ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223"
			      "b00361a396177a9cb410ff61f20015ad");
	sha256(bytes_of(""), out);
	hex_encode(hex, out, sizeof(out));
	ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb924"
			      "27ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(seal_opens_at_every_length)
{
	struct keyring *ring = open_good("1 " KEY_A "\n");
	unsigned char plain[300], sealed[330], again[330], back[300];
	size_t len;

	for (len = 0; len < sizeof(plain); len++) {
		struct bytes text = {plain, len};

		random_bytes(plain, len);
		ck_assert(secret_seal(ring, KEY_PAN_ENCRYPTION, "card_1", text,
				      sealed));
		ck_assert(secret_seal(ring, KEY_PAN_ENCRYPTION, "card_1", text,
				      again));
		/* A nonce of its own each time. */
		ck_assert(memcmp(sealed, again, len + SEAL_OVERHEAD) != 0);
		ck_assert(secret_open(
			ring, KEY_PAN_ENCRYPTION, "card_1",
			(struct bytes){sealed, len + SEAL_OVERHEAD}, back));
		ck_assert(memcmp(back, plain, len) == 0);
	}
	keyring_close(ring);
}
END_TEST

START_TEST(any_changed_bit_is_seen)
{
	struct keyring *ring = open_good("1 " KEY_A "\n2 " KEY_B "\n");
	unsigned char sealed[16 + SEAL_OVERHEAD], back[16];
	struct bytes whole = {sealed, sizeof(sealed)};
	size_t i;
	int bit;

	ck_assert(secret_seal(ring, KEY_PAN_ENCRYPTION, "card_1",
			      bytes_of("4111111111111111"), sealed));
	for (i = 0; i < sizeof(sealed); i++)
		for (bit = 0; bit < 8; bit++) {
			sealed[i] ^= (unsigned char)(1 << bit);
			ck_assert(!secret_open(ring, KEY_PAN_ENCRYPTION,
					       "card_1", whole, back));
			sealed[i] ^= (unsigned char)(1 << bit);
		}
	for (i = 0; i < sizeof(sealed); i++)
		ck_assert(!secret_open(ring, KEY_PAN_ENCRYPTION, "card_1",
				       (struct bytes){sealed, i}, back));
	ck_assert(
		!secret_open(ring, KEY_PAN_ENCRYPTION, "card_2", whole, back));
	ck_assert(!secret_open(ring, KEY_PAN_ENCRYPTION, "", whole, back));
	ck_assert(!secret_open(ring, KEY_REPLY, "card_1", whole, back));
	ck_assert(secret_open(ring, KEY_PAN_ENCRYPTION, "card_1", whole, back));
	keyring_close(ring);
}
END_TEST

START_TEST(rotation_keeps_the_old_readable)
{
	struct keyring *old = open_good("1 " KEY_A "\n");
	struct keyring *both = open_good("# keys\n1 " KEY_A "\n\n300 " KEY_B);
	unsigned char sealed[3 + SEAL_OVERHEAD], back[3], a[32], b[32];
	struct bytes whole = {sealed, sizeof(sealed)};

	ck_assert_uint_eq(keyring_present(old), 1);
	ck_assert_uint_eq(keyring_present(both), 300);
	ck_assert(keyring_has(both, 1) && keyring_has(both, 300));
	ck_assert(!keyring_has(both, 2) && !keyring_has(old, 300));
	ck_assert(secret_seal(old, KEY_PAN_ENCRYPTION, "c", bytes_of("pan"),
			      sealed));
	ck_assert(secret_open(both, KEY_PAN_ENCRYPTION, "c", whole, back));
	ck_assert_mem_eq(back, "pan", 3);
	ck_assert(secret_seal(both, KEY_PAN_ENCRYPTION, "c", bytes_of("pan"),
			      sealed));
	ck_assert_uint_eq(sealed[0], 300 >> 8);
	ck_assert_uint_eq(sealed[1], 300 & 255);
	ck_assert(!secret_open(old, KEY_PAN_ENCRYPTION, "c", whole, back));
	/* What the root yields stays. */
	secret_hmac(old, KEY_PAN_LOOKUP, bytes_of("4111"), a);
	secret_hmac(both, KEY_PAN_LOOKUP, bytes_of("4111"), b);
	ck_assert_mem_eq(a, b, sizeof(a));
	secret_key(old, KEY_CVV, a);
	secret_key(both, KEY_CVV, b);
	ck_assert_mem_eq(a, b, sizeof(a));
	keyring_close(old);
	keyring_close(both);
}
END_TEST

START_TEST(purposes_have_keys_of_their_own)
{
	struct keyring *ring = open_good("1 " KEY_A "\n");
	unsigned char keys[KEY_PURPOSES][32], mac[2][32];
	int i, j;

	for (i = 0; i < KEY_PURPOSES; i++) {
		secret_key(ring, (enum key_purpose)i, keys[i]);
		for (j = 0; j < i; j++)
			ck_assert(!secret_equal(keys[i], keys[j], 32));
	}
	secret_hmac(ring, KEY_PAN_LOOKUP, bytes_of("a"), mac[0]);
	secret_hmac(ring, KEY_PAN_LOOKUP, bytes_of("b"), mac[1]);
	ck_assert(!secret_equal(mac[0], mac[1], 32));
	secret_hmac(ring, KEY_CURSOR, bytes_of("a"), mac[1]);
	ck_assert(!secret_equal(mac[0], mac[1], 32));
	keyring_close(ring);
}
END_TEST

static void check_refused(const char *text, const char *why)
{
	char expected[256];

	ck_assert_ptr_null(open_text(text, 0400));
	(void)snprintf(expected, sizeof(expected), "%s:%s", path, why);
	ck_assert_str_eq(error, expected);
	/* Never the key itself. */
	ck_assert_ptr_null(strstr(error, "1011121314"));
}

START_TEST(key_files_are_refused)
{
	mode_t mode;

	check_refused("", " no keys in it");
	check_refused("# only words\n\n", " no keys in it");
	check_refused("0 " KEY_A "\n",
		      "1: the id must be a number from 1 to 65535");
	check_refused("65536 " KEY_A "\n",
		      "1: the id must be a number from 1 to 65535");
	check_refused("x " KEY_A "\n",
		      "1: the id must be a number from 1 to 65535");
	check_refused("2 " KEY_A "\n1 " KEY_B "\n", "2: ids must ascend");
	check_refused("2 " KEY_A "\n2 " KEY_B "\n", "2: ids must ascend");
	check_refused("1 " KEY_A "0\n",
		      "1: the key must be 64 lower-case hex digits");
	check_refused("#\n1 0" KEY_A "\n",
		      "2: the key must be 64 lower-case hex digits");
	check_refused("1 abcd\n",
		      "1: the key must be 64 lower-case hex digits");
	check_refused(KEY_A "\n", "1: expected \"ID key\"");
	for (mode = 0400; mode <= 0777; mode++) {
		struct keyring *ring = open_text("1 " KEY_A "\n", mode);
		bool good = mode == 0400 || mode == 0600;

		ck_assert_msg((ring != NULL) == good, "%o", mode);
		if (!good)
			ck_assert_ptr_nonnull(
				strstr(error, "mode must be 0400 or 0600"));
		keyring_close(ring);
	}
	ck_assert_ptr_null(
		keyring_open("/nonexistent/key", error, sizeof(error)));
	ck_assert_str_eq(error, "/nonexistent/key: No such file or directory");
	ck_assert_ptr_null(keyring_open("/tmp", error, sizeof(error)));
}
END_TEST

/* systemd gives a service's user the right to read by an access list, whose
 * mask shows as the group's bits. */
START_TEST(credentials_may_be_0440)
{
	static const char *const elsewhere[] = {"", "/", "/tm", "/tmp/x",
						"/nonexistent"};
	char folder[sizeof(path)];

	(void)snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	for (mode_t mode = 0400; mode <= 0777; mode++) {
		struct keyring *ring = open_text("1 " KEY_A "\n", mode);

		ck_assert_msg((ring != NULL) == (mode == 0400 || mode == 0440 ||
						 mode == 0600),
			      "%o", mode);
		keyring_close(ring);
	}
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		setenv("CREDENTIALS_DIRECTORY", elsewhere[i], 1);
		ck_assert_ptr_null(open_text("1 " KEY_A "\n", 0440));
	}
	unsetenv("CREDENTIALS_DIRECTORY");
	ck_assert_ptr_null(open_text("1 " KEY_A "\n", 0440));
}
END_TEST

START_TEST(random_is_uniform_below_a_bound)
{
	unsigned int seen[10] = {0};
	uint32_t bound;
	int i;

	for (i = 0; i < 20000; i++)
		seen[random_below(10)]++;
	/* 2000 expected of each; 300 is 7 standard deviations. */
	for (i = 0; i < 10; i++)
		ck_assert(seen[i] > 1700 && seen[i] < 2300);
	for (bound = 1; bound != 0; bound <<= 1) {
		ck_assert_uint_lt(random_below(bound), bound);
		ck_assert_uint_lt(random_below(bound + (bound - 1)),
				  bound + (bound - 1));
	}
	ck_assert_uint_eq(random_below(1), 0);
}
END_TEST

START_TEST(equal_and_wipe)
{
	char a[] = "secret", b[] = "secret";

	ck_assert(secret_equal(a, b, sizeof(a)));
	b[5] = 'T';
	ck_assert(!secret_equal(a, b, sizeof(a)));
	secret_wipe(a, sizeof(a));
	ck_assert_mem_eq(a, "\0\0\0\0\0\0", 6);
}
END_TEST

SUITE("secret", hkdf_vectors, sha256_vectors, seal_opens_at_every_length,
      any_changed_bit_is_seen, rotation_keeps_the_old_readable,
      purposes_have_keys_of_their_own, key_files_are_refused,
      credentials_may_be_0440, random_is_uniform_below_a_bound, equal_and_wipe)
