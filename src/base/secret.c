/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define MASTER_SIZE 32
#define MASTERS_MAX 64
#define KEY_FILE_MAX 16384
#define NONCE_SIZE 12
#define TAG_SIZE 16

/* What HKDF takes as info; a purpose's word never changes, or its ciphertext
 * is lost. */
static const char *const purpose_words[KEY_PURPOSES] = {
	[KEY_PAN_ENCRYPTION] = "cardstock pan encryption",
	[KEY_PAN_LOOKUP] = "cardstock pan lookup",
	[KEY_CVV] = "cardstock cvv",
	[KEY_REPLY] = "cardstock reply",
	[KEY_SEED] = "cardstock seed",
	[KEY_WEBHOOK_SECRET] = "cardstock webhook secret",
	[KEY_CURSOR] = "cardstock cursor",
	[KEY_LEDGER_SEAL] = "cardstock ledger seal",
	[KEY_OTP] = "cardstock 3-D Secure code",
	[KEY_EVENT] = "cardstock event",
	[KEY_API_KEY] = "cardstock api key",
};

/* One master key: only what is derived from it is kept. */
struct master {
	uint16_t id;
	unsigned char keys[KEY_PURPOSES][MASTER_SIZE];
};

struct keyring {
	size_t count;
	struct master masters[MASTERS_MAX];
};

/* OpenSSL refuses only for want of memory or for a broken installation; going
 * on without a key would be worse than going down. */
static void must(bool good, const char *what)
{
	if (good)
		return;
	log_broken("event=crypto_failed what=%s", what);
	abort();
}

void hkdf_sha256(struct bytes secret, struct bytes salt, struct bytes info,
		 unsigned char *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	char digest[] = "SHA256";
	/* OSSL_PARAM has no const, but OpenSSL only reads these. */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest,
						 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.data,
			secret.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
						  (void *)(uintptr_t)salt.data,
						  salt.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
						  (void *)(uintptr_t)info.data,
						  info.len),
		OSSL_PARAM_construct_end(),
	};

	must(context != NULL && EVP_KDF_derive(context, out, len, params) > 0,
	     "hkdf");
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

static void master_derive(struct master *master,
			  const unsigned char key[MASTER_SIZE])
{
	struct bytes none = {"", 0};
	size_t i;

	for (i = 0; i < KEY_PURPOSES; i++) {
		struct bytes info = {purpose_words[i],
				     strlen(purpose_words[i])};

		hkdf_sha256((struct bytes){key, MASTER_SIZE}, none, info,
			    master->keys[i], MASTER_SIZE);
	}
}

/* Writes why into error and returns false. */
static bool refuse(char *error, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool refuse(char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(error, size, format, args);
	va_end(args);
	return false;
}

/* "ID 64-hex-digits" or a comment; the line's key is wiped by the caller. */
static bool take_line(struct keyring *ring, char *line, char *error,
		      size_t error_size)
{
	unsigned char key[MASTER_SIZE];
	char *hex = strchr(line, ' ');
	int64_t id;

	if (*line == '#' || line[strspn(line, " \t\r")] == '\0')
		return true;
	if (hex == NULL)
		return refuse(error, error_size, "expected \"ID key\"");
	*hex++ = '\0';
	if (!text_to_int(line, &id) || id < 1 || id > UINT16_MAX)
		return refuse(error, error_size,
			      "the id must be a number from 1 to 65535");
	if (ring->count > 0 && id <= ring->masters[ring->count - 1].id)
		return refuse(error, error_size, "ids must ascend");
	if (ring->count == MASTERS_MAX)
		return refuse(error, error_size, "more than %d keys",
			      MASTERS_MAX);
	if (!hex_decode(key, sizeof(key), hex))
		return refuse(error, error_size,
			      "the key must be 64 lower-case hex digits");
	ring->masters[ring->count].id = (uint16_t)id;
	master_derive(&ring->masters[ring->count++], key);
	secret_wipe(key, sizeof(key));
	return true;
}

static bool take_lines(struct keyring *ring, char *text, const char *path,
		       char *error, size_t error_size)
{
	unsigned int number = 1;
	char message[128], *line = text, *end;

	for (; line != NULL; line = end, number++) {
		end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		if (!take_line(ring, line, message, sizeof(message)))
			return refuse(error, error_size, "%s:%u: %s", path,
				      number, message);
	}
	if (ring->count == 0)
		return refuse(error, error_size, "%s: no keys in it", path);
	return true;
}

/* Fills buffer with the whole file and a NUL. */
static bool read_all(int file, char *buffer, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while (len < size) {
		got = read(file, buffer + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	if (len == size) {
		errno = EFBIG;
		return false;
	}
	buffer[len] = '\0';
	return true;
}

/* Whether systemd made the file, for this service. */
static bool is_credential(const char *path)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t len = folder ? strlen(folder) : 0;

	return len > 0 && strncmp(path, folder, len) == 0 && path[len] == '/' &&
	       strchr(path + len + 1, '/') == NULL;
}

bool secret_file_fits(int file, const char *path, char *error,
		      size_t error_size)
{
	struct stat status;
	mode_t mode;

	if (fstat(file, &status) != 0)
		return refuse(error, error_size, "%s: %s", path,
			      strerror(errno));
	if (!S_ISREG(status.st_mode))
		return refuse(error, error_size, "%s: not a regular file",
			      path);
	mode = status.st_mode & 07777;
	/* An access list that lets the service read shows as the group's. */
	if (mode != 0400 && mode != 0600 &&
	    !(mode == 0440 && is_credential(path)))
		return refuse(error, error_size,
			      "%s: mode must be 0400 or 0600, not %04o", path,
			      (unsigned int)mode);
	return true;
}

static bool read_keys(struct keyring *ring, int file, const char *path,
		      char *error, size_t error_size)
{
	char text[KEY_FILE_MAX];
	bool good;

	if (!secret_file_fits(file, path, error, error_size))
		return false;
	if (read_all(file, text, sizeof(text)))
		good = take_lines(ring, text, path, error, error_size);
	else
		good = refuse(error, error_size, "%s: %s", path,
			      strerror(errno));
	secret_wipe(text, sizeof(text));
	return good;
}

static struct keyring *ring_new(char *error, size_t error_size)
{
	struct keyring *ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ring == MAP_FAILED) {
		(void)refuse(error, error_size, "memory for keys: %s",
			     strerror(errno));
		return NULL;
	}
	if (!keyring_lock(ring)) {
		(void)refuse(error, error_size,
			     "cannot lock the keys into memory: %s",
			     strerror(errno));
		(void)munmap(ring, sizeof(*ring));
		return NULL;
	}
	return ring;
}

bool keyring_lock(const struct keyring *ring)
{
	return mlock(ring, sizeof(*ring)) == 0 &&
	       madvise((void *)(uintptr_t)ring, sizeof(*ring), MADV_DONTDUMP) ==
		       0;
}

struct keyring *keyring_open(const char *path, char *error, size_t error_size)
{
	struct keyring *ring = ring_new(error, error_size);
	int file;

	if (ring == NULL)
		return NULL;
	file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file < 0) {
		(void)refuse(error, error_size, "%s: %s", path,
			     strerror(errno));
		keyring_close(ring);
		return NULL;
	}
	if (!read_keys(ring, file, path, error, error_size)) {
		keyring_close(ring);
		ring = NULL;
	}
	(void)close(file);
	return ring;
}

void keyring_close(struct keyring *ring)
{
	if (ring == NULL)
		return;
	secret_wipe(ring, sizeof(*ring));
	(void)munmap(ring, sizeof(*ring));
}

uint16_t keyring_present(const struct keyring *ring)
{
	return ring->masters[ring->count - 1].id;
}

static const struct master *master_find(const struct keyring *ring, uint16_t id)
{
	size_t i;

	for (i = 0; i < ring->count; i++)
		if (ring->masters[i].id == id)
			return &ring->masters[i];
	return NULL;
}

bool keyring_has(const struct keyring *ring, uint16_t id)
{
	return master_find(ring, id) != NULL;
}

bool secret_seal(const struct keyring *ring, enum key_purpose purpose,
		 const char *context, struct bytes plain, unsigned char *sealed)
{
	const struct master *master = &ring->masters[ring->count - 1];
	unsigned char *nonce = sealed + 2, *body = nonce + NONCE_SIZE;
	EVP_CIPHER_CTX *cipher;
	int len = 0, tail = 0;
	bool good;

	if (plain.len > INT_MAX - SEAL_OVERHEAD || strlen(context) > INT_MAX)
		return false;
	sealed[0] = (unsigned char)(master->id >> 8);
	sealed[1] = (unsigned char)(master->id & 0xff);
	random_bytes(nonce, NONCE_SIZE);
	cipher = EVP_CIPHER_CTX_new();
	good = cipher != NULL &&
	       EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL,
				  master->keys[purpose], nonce) == 1 &&
	       EVP_EncryptUpdate(cipher, NULL, &len,
				 (const unsigned char *)context,
				 (int)strlen(context)) == 1 &&
	       EVP_EncryptUpdate(cipher, body, &len, plain.data,
				 (int)plain.len) == 1 &&
	       EVP_EncryptFinal_ex(cipher, body + len, &tail) == 1 &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_SIZE,
				   body + plain.len) == 1;
	EVP_CIPHER_CTX_free(cipher);
	return good;
}

bool secret_open(const struct keyring *ring, enum key_purpose purpose,
		 const char *context, struct bytes sealed, unsigned char *plain)
{
	const unsigned char *data = sealed.data, *nonce = data + 2;
	const unsigned char *body = nonce + NONCE_SIZE;
	unsigned char tag[TAG_SIZE];
	const struct master *master;
	EVP_CIPHER_CTX *cipher;
	int len = 0, tail = 0;
	size_t plain_len;
	bool good;

	if (sealed.len < SEAL_OVERHEAD || sealed.len > INT_MAX ||
	    strlen(context) > INT_MAX)
		return false;
	plain_len = sealed.len - SEAL_OVERHEAD;
	master = master_find(ring, (uint16_t)(data[0] << 8 | data[1]));
	if (master == NULL)
		return false;
	memcpy(tag, body + plain_len, TAG_SIZE);
	cipher = EVP_CIPHER_CTX_new();
	good = cipher != NULL &&
	       EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL,
				  master->keys[purpose], nonce) == 1 &&
	       EVP_DecryptUpdate(cipher, NULL, &len,
				 (const unsigned char *)context,
				 (int)strlen(context)) == 1 &&
	       EVP_DecryptUpdate(cipher, plain, &len, body, (int)plain_len) ==
		       1 &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_SIZE,
				   tag) == 1 &&
	       EVP_DecryptFinal_ex(cipher, plain + len, &tail) == 1;
	EVP_CIPHER_CTX_free(cipher);
	/* GCM decrypts before it has seen the tag: nobody may use that. */
	if (!good)
		secret_wipe(plain, plain_len);
	return good;
}

void secret_hmac(const struct keyring *ring, enum key_purpose purpose,
		 struct bytes message, unsigned char out[32])
{
	hmac_sha256((struct bytes){ring->masters[0].keys[purpose], MASTER_SIZE},
		    message, out);
}

void hmac_sha256(struct bytes key, struct bytes message, unsigned char out[32])
{
	must(key.len <= INT_MAX &&
		     HMAC(EVP_sha256(), key.data, (int)key.len, message.data,
			  message.len, out, NULL) != NULL,
	     "hmac");
}

void secret_key(const struct keyring *ring, enum key_purpose purpose,
		unsigned char out[32])
{
	memcpy(out, ring->masters[0].keys[purpose], MASTER_SIZE);
}

void sha256(struct bytes message, unsigned char out[32])
{
	must(EVP_Digest(message.data, message.len, out, NULL, EVP_sha256(),
			NULL) == 1,
	     "sha256");
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void secret_wipe(void *memory, size_t len)
{
	OPENSSL_cleanse(memory, len);
}

void random_bytes(void *out, size_t len)
{
	unsigned char *to = out;

	while (len > 0) {
		ssize_t got = getrandom(to, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		must(got > 0, "getrandom");
		to += got;
		len -= (size_t)got;
	}
}

uint32_t random_below(uint32_t bound)
{
	uint32_t value, excess;

	assert(bound > 0);
	/* 2^32 modulo bound: so many of the first values are left out. */
	excess = (uint32_t)-bound % bound;
	do
		random_bytes(&value, sizeof(value));
	while (value < excess);
	return value % bound;
}
