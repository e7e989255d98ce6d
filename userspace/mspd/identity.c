// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "common/util.h"
#include "handshake.h"
#include "identity.h"
#include "secret.h"

#define PREFIX		"SHA256:"
#define PREFIX_BYTES	(sizeof(PREFIX) - 1)
#define MAX_LINE	512
#define PATH_BYTES	512

__attribute__((format(printf, 2, 3)))
static int fail(char error[IDENTITY_ERROR_BYTES], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, IDENTITY_ERROR_BYTES, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* What OpenSSL says was wrong, the cause first */
static const char *openssl_reason(void)
{
	unsigned long first = ERR_get_error();
	const char *reason = ERR_reason_error_string(first);

	ERR_clear_error();
	return reason ? reason : "unknown error of OpenSSL";
}

/* Nobody is there to be asked for one */
static int no_password(char *buf, int size, int writing, void *data)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)data;
	return -1;
}

static int path_of(const struct identity_params *params, const char *file,
		   char path[PATH_BYTES], char *error)
{
	if (snprintf(path, PATH_BYTES, "%s/%s", params->directory, file) >= PATH_BYTES)
		return fail(error, "tls_dir is longer than %d bytes", PATH_BYTES - 32);
	return 0;
}

/**
 * identity_of() - the identity that belongs to a certificate
 * @cert: the certificate
 * @name: result: "SHA256:" and the digest of its DER form
 *
 * Return: 0 or -ENOMEM.
 */
int identity_of(const X509 *cert, char name[IDENTITY_BYTES])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int bytes;
	char *at = name + PREFIX_BYTES;

	if (!X509_digest(cert, EVP_sha256(), digest, &bytes))
		return -ENOMEM;
	memcpy(name, PREFIX, PREFIX_BYTES);
	for (unsigned int i = 0; i < bytes; i++)
		at += sprintf(at, "%02x", digest[i]);
	return 0;
}

/**
 * identity_is_name() - is this how an identity is written?
 * @text: "SHA256:" and 64 lower-case hexadecimal digits
 */
bool identity_is_name(const char *text)
{
	return !strncmp(text, PREFIX, PREFIX_BYTES) &&
	       strlen(text) == IDENTITY_BYTES - 1 &&
	       strspn(text + PREFIX_BYTES, "0123456789abcdef") ==
	       IDENTITY_BYTES - 1 - PREFIX_BYTES;
}

/* ---- whom it trusts ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool pinned(const struct identity *identity, const char *name)
{
	return identity->npeers &&
	       bsearch(name, identity->peers, identity->npeers, IDENTITY_BYTES,
		       compare_names);
}

/* A mover is source at one time and target at another: TLS client and server */
static bool serves_both(X509_STORE_CTX *ctx, X509 *cert)
{
	if (X509_check_purpose(cert, X509_PURPOSE_SSL_CLIENT, 0) == 1 &&
	    X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0) == 1)
		return true;
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_INVALID_PURPOSE);
	return false;
}

/*
 * Of a certificate that is pinned only the issuer is not asked for: it is its
 * own anchor.  All else (dates, purpose, strength) is checked as of any other.
 */
static int verify(X509_STORE_CTX *ctx, void *data)
{
	const struct identity *identity = data;
	X509 *cert = X509_STORE_CTX_get0_cert(ctx);
	STACK_OF(X509) *anchors = NULL;
	char name[IDENTITY_BYTES];
	int ok;

	if (identity_of(cert, name)) {
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_OUT_OF_MEM);
		return 0;
	}
	if (pinned(identity, name)) {
		anchors = sk_X509_new_null();
		if (!anchors || !sk_X509_push(anchors, cert)) {
			sk_X509_free(anchors);
			X509_STORE_CTX_set_error(ctx, X509_V_ERR_OUT_OF_MEM);
			return 0;
		}
		X509_STORE_CTX_set0_trusted_stack(ctx, anchors);
		X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx),
					    X509_V_FLAG_PARTIAL_CHAIN);
	}
	ok = X509_verify_cert(ctx) > 0 && serves_both(ctx, cert);
	sk_X509_free(anchors);
	return ok;
}

static int add_peer(struct identity *identity, char *line, const char *path,
		    unsigned int number, char *error)
{
	char (*peers)[IDENTITY_BYTES];
	char *end;

	line += strspn(line, " \t");
	end = line + strcspn(line, " \t\r\n#");
	if (line == end)
		return 0;
	*end = '\0';
	if (!identity_is_name(line))
		return fail(error, "%s:%u: \"%.80s\" is not an identity (" PREFIX
			    " and 64 lower-case hexadecimal digits)", path, number, line);
	if (identity->npeers == IDENTITY_MAX_PEERS)
		return fail(error, "%s: more than %d peers", path, IDENTITY_MAX_PEERS);
	peers = reallocarray(identity->peers, identity->npeers + 1, sizeof(*peers));
	if (!peers)
		return fail(error, "%s: out of memory", path);
	identity->peers = peers;
	strcpy(peers[identity->npeers++], line);
	return 0;
}

static int load_peers(struct identity *identity, const struct identity_params *params,
		      char *error)
{
	char line[MAX_LINE], path[PATH_BYTES];
	unsigned int number = 0;
	FILE *file;
	int ret;

	ret = path_of(params, "peers", path, error);
	if (ret)
		return ret;
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : fail(error, "%s: %s", path, strerror(errno));
	while (!ret && fgets(line, sizeof(line), file)) {
		number++;
		if (strlen(line) == sizeof(line) - 1)
			ret = fail(error, "%s:%u: line is longer than %d bytes", path,
				   number, MAX_LINE - 2);
		else
			ret = add_peer(identity, line, path, number, error);
	}
	if (!ret && ferror(file))
		ret = fail(error, "%s: %s", path, strerror(errno));
	fclose(file);
	if (!ret && identity->npeers)
		qsort(identity->peers, identity->npeers, IDENTITY_BYTES, compare_names);
	return ret;
}

static int load_authorities(struct identity *identity,
			    const struct identity_params *params, char *error)
{
	char path[PATH_BYTES];
	int ret;

	ret = path_of(params, "authorities.pem", path, error);
	if (ret)
		return ret;
	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	if (SSL_CTX_load_verify_file(identity->ctx, path) != 1)
		return fail(error, "%s: %s", path, openssl_reason());
	identity->authorities = true;
	return 0;
}

/* ---- who it is ---- */

static int check_key_file(const char *path, char *error)
{
	struct stat st;

	if (stat(path, &st))
		return fail(error, "%s: %s%s", path, strerror(errno),
			    errno == ENOENT ? " (mspd --init makes it)" : "");
	if (!S_ISREG(st.st_mode))
		return fail(error, "%s: not a regular file", path);
	if (st.st_mode & 077)
		return fail(error, "%s: mode is %04o, others can reach the private key: 0600 expected",
			    path, st.st_mode & 07777);
	if (st.st_uid && st.st_uid != geteuid())
		return fail(error, "%s: owner is %u, expected are %u or 0", path, st.st_uid,
			    geteuid());
	return 0;
}

static int load_key(struct identity *identity, const struct identity_params *params,
		    char *error)
{
	char path[PATH_BYTES];
	int ret;

	ret = path_of(params, "key.pem", path, error);
	if (!ret)
		ret = check_key_file(path, error);
	if (ret)
		return ret;
	if (SSL_CTX_use_PrivateKey_file(identity->ctx, path, SSL_FILETYPE_PEM) != 1)
		return fail(error, "%s: %s", path, openssl_reason());
	ret = path_of(params, "cert.pem", path, error);
	if (ret)
		return ret;
	if (SSL_CTX_use_certificate_chain_file(identity->ctx, path) != 1)
		return fail(error, "%s: %s", path, openssl_reason());
	if (SSL_CTX_check_private_key(identity->ctx) != 1)
		return fail(error, "%s: not the certificate of key.pem: %s", path,
			    openssl_reason());
	return 0;
}

static bool write_chain(SSL_CTX *ctx, BIO *bio)
{
	STACK_OF(X509) *chain = NULL;

	if (!PEM_write_bio_X509(bio, SSL_CTX_get0_certificate(ctx)))
		return false;
	SSL_CTX_get0_chain_certs(ctx, &chain);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		if (!PEM_write_bio_X509(bio, sk_X509_value(chain, i)))
			return false;
	}
	return true;
}

/* Own name, and the certificates for who wants to know whether they are trusted */
static int describe(struct identity *identity, char *error)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long bytes;
	int ret = 0;

	if (!bio || !write_chain(identity->ctx, bio) ||
	    identity_of(SSL_CTX_get0_certificate(identity->ctx), identity->name)) {
		ret = fail(error, "own certificate: %s", openssl_reason());
		goto free_bio;
	}
	bytes = BIO_get_mem_data(bio, &text);
	if (bytes > IDENTITY_MAX_PEM) {
		ret = fail(error, "own certificate has %ld bytes, the limit is %d", bytes,
			   IDENTITY_MAX_PEM);
		goto free_bio;
	}
	identity->pem = strndup(text, (size_t)bytes);
	if (!identity->pem)
		ret = fail(error, "out of memory");
free_bio:
	BIO_free(bio);
	return ret;
}

/* Each name has to be known to OpenSSL, which passes over others, and to secret.c */
static bool set_suites(SSL_CTX *ctx, const char *names)
{
	const STACK_OF(SSL_CIPHER) *ciphers;
	int wanted = 1, found = 0;

	for (const char *c = names; *c; c++)
		wanted += *c == ':';
	if (!SSL_CTX_set_ciphersuites(ctx, names))
		return false;
	ciphers = SSL_CTX_get_ciphers(ctx);
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
		found += suite_find(SSL_CIPHER_get_protocol_id(sk_SSL_CIPHER_value(ciphers,
										  i))) != NULL;
	return found == wanted;
}

/* TLS 1.3, both sides with certificates, nothing kept from one connection for another */
static int set_up(struct identity *identity, const struct identity_params *params,
		  char *error)
{
	SSL_CTX *ctx = identity->ctx;

	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION))
		return fail(error, "TLS 1.3: %s", openssl_reason());
	if (!set_suites(ctx, params->ciphersuites))
		return fail(error, "tls_ciphersuites \"%.100s\": known are TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256, with ':' between",
			    params->ciphersuites);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, identity);
	identity->bio = handshake_bio_method();
	if (!identity->bio)
		return fail(error, "out of memory");
	SSL_CTX_set_keylog_callback(ctx, handshake_take_secret);
	return 0;
}

/**
 * identity_load() - read key, certificate, peers and authorities
 * @params: where they are
 * @identity: result, held by the caller
 * @error: on error a text that names the file
 *
 * Return: 0 or -EINVAL.
 */
int identity_load(const struct identity_params *params, struct identity **identity,
		  char error[IDENTITY_ERROR_BYTES])
{
	struct identity *id = calloc(1, sizeof(*id));
	int ret;

	if (!id)
		return fail(error, "out of memory");
	atomic_init(&id->refs, 1);
	id->kernel = params->kernel;
	id->ctx = SSL_CTX_new(TLS_method());
	if (!id->ctx) {
		ret = fail(error, "TLS: %s", openssl_reason());
		goto err_put;
	}
	ret = set_up(id, params, error);
	if (!ret)
		ret = load_key(id, params, error);
	if (!ret)
		ret = describe(id, error);
	if (!ret)
		ret = load_peers(id, params, error);
	if (!ret)
		ret = load_authorities(id, params, error);
	if (ret)
		goto err_put;
	*identity = id;
	return 0;

err_put:
	identity_put(id);
	return ret;
}

/**
 * identity_get() - hold an identity; any thread
 * @identity: the identity
 *
 * Return: @identity.
 */
struct identity *identity_get(struct identity *identity)
{
	atomic_fetch_add(&identity->refs, 1);
	return identity;
}

/**
 * identity_put() - let go of an identity; any thread
 * @identity: the identity, or NULL
 */
void identity_put(struct identity *identity)
{
	if (!identity || atomic_fetch_sub(&identity->refs, 1) > 1)
		return;
	SSL_CTX_free(identity->ctx);
	BIO_meth_free(identity->bio);
	free(identity->peers);
	free(identity->pem);
	free(identity);
}

/* ---- would it be trusted? ---- */

static STACK_OF(X509) *parse_pem(const char *pem)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert;

	while (certs && bio && (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		if (!sk_X509_push(certs, cert)) {
			X509_free(cert);
			break;
		}
	}
	BIO_free(bio);
	ERR_clear_error();
	return certs;
}

/**
 * identity_check() - would a connection from the owner of a certificate be trusted?
 * @identity: own
 * @pem: the other's certificate, and those of authorities between it and the root
 * @name: result: the other's identity
 * @error: on error, why not
 *
 * Return: 0; -EBADMSG: not a certificate; -EACCES: not trusted; -ENOMEM.
 */
int identity_check(struct identity *identity, const char *pem,
		   char name[IDENTITY_BYTES], char error[IDENTITY_ERROR_BYTES])
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *certs = parse_pem(pem);
	X509 *cert;
	int ret = -ENOMEM;

	fail(error, "out of memory");
	if (!sk_X509_num(certs)) {
		fail(error, "not a certificate in PEM form");
		ret = -EBADMSG;
		goto free_certs;
	}
	cert = sk_X509_value(certs, 0);
	if (!ctx || identity_of(cert, name) ||
	    !X509_STORE_CTX_init(ctx, SSL_CTX_get_cert_store(identity->ctx), cert, certs) ||
	    !X509_STORE_CTX_set_default(ctx, "ssl_client"))
		goto free_certs;
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx),
					 SSL_CTX_get_security_level(identity->ctx));
	ret = verify(ctx, identity) ? 0 : -EACCES;
	if (ret)
		fail(error, "%s",
		     X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
free_certs:
	sk_X509_pop_free(certs, X509_free);
	X509_STORE_CTX_free(ctx);
	return ret;
}
