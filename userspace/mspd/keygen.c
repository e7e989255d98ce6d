// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mspd --init: a key, a certificate that is its own authority, and the identity
 * to be told to other movers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include "common/util.h"
#include "mover.h"

#define CURVE		"P-256"
/* A serial number is positive and has at most 20 bytes (RFC 5280, section 4.1.2.2) */
#define SERIAL_BITS	127
#define DAY_S		86400L
/* A clock that is behind ours does not find the certificate in the future */
#define SKEW_S		3600L
#define PATH_BYTES	512
#define MAX_NAME	64

static int fail(const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	fprintf(stderr, "mspd: %s: %s\n", what, reason ? reason : strerror(errno));
	return -EIO;
}

/* ---- the certificate ---- */

static bool set_serial(X509 *cert)
{
	BIGNUM *number = BN_new();
	bool ok = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
		  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));

	BN_free(number);
	return ok;
}

static bool set_name(X509 *cert, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(cert);

	return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					  (const unsigned char *)name, -1, -1, 0) &&
	       X509_set_issuer_name(cert, subject);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return ok;
}

static X509 *make_certificate(EVP_PKEY *key, const char *name, unsigned int days)
{
	X509 *cert = X509_new();

	if (cert && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -SKEW_S) &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), DAY_S * days) &&
	    X509_set_pubkey(cert, key) && set_name(cert, name) &&
	    add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
	    X509_sign(cert, key, EVP_sha256()))
		return cert;
	X509_free(cert);
	return NULL;
}

/* ---- the files ---- */

static FILE *create(const struct config *config, const char *name, mode_t mode,
		    char path[PATH_BYTES])
{
	FILE *file = NULL;
	int fd;

	if (snprintf(path, PATH_BYTES, "%s/%s", config->tls_dir, name) >= PATH_BYTES) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	/* Its mode is right from the beginning, and nothing is written over */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd >= 0)
		file = fdopen(fd, "w");
	if (fd >= 0 && (!file || fchmod(fd, mode) ||
			privileges_own(config, fd))) {
		unlink(path);
		if (file)
			fclose(file);
		else
			close(fd);
		return NULL;
	}
	return file;
}

static int finish(FILE *file, bool written)
{
	if (fflush(file) || fsync(fileno(file)))
		written = false;
	if (fclose(file))
		written = false;
	return written ? 0 : -EIO;
}

static int write_files(const struct config *config, EVP_PKEY *key, X509 *cert)
{
	char key_path[PATH_BYTES], cert_path[PATH_BYTES];
	FILE *file;

	file = create(config, "key.pem", 0600, key_path);
	if (!file)
		return fail(key_path);
	if (finish(file, PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL))) {
		fail(key_path);
		goto err_unlink_key;
	}
	file = create(config, "cert.pem", 0644, cert_path);
	if (!file) {
		fail(cert_path);
		goto err_unlink_key;
	}
	if (finish(file, PEM_write_X509(file, cert))) {
		fail(cert_path);
		unlink(cert_path);
		goto err_unlink_key;
	}
	return 0;

err_unlink_key:
	unlink(key_path);
	return -EIO;
}

static const char *own_name(const struct config *config, char host[MAX_NAME + 1])
{
	if (config->name)
		return config->name;
	if (gethostname(host, MAX_NAME) || !*host)
		return "mspd";
	host[MAX_NAME] = '\0';
	return host;
}

/**
 * keygen() - make a key and a certificate, and print the identity
 * @config: says where, and for whom
 *
 * Files that exist stay as they are.
 *
 * Return: 0 or negative errno; an error was printed.
 */
int keygen(const struct config *config)
{
	char host[MAX_NAME + 1] = "";
	const char *name = own_name(config, host);
	char identity[IDENTITY_BYTES];
	EVP_PKEY *key;
	X509 *cert = NULL;
	int ret;

	if (!*name || strlen(name) > MAX_NAME) {
		fprintf(stderr, "mspd: --name: %zu bytes, allowed are 1 to %d\n",
			strlen(name), MAX_NAME);
		return -EINVAL;
	}
	if (mkdir(config->tls_dir, 0755) && errno != EEXIST)
		return fail(config->tls_dir);
	key = EVP_EC_gen(CURVE);
	if (key)
		cert = make_certificate(key, name, config->days);
	if (!cert || identity_of(cert, identity)) {
		ret = fail("certificate");
		goto free_key;
	}
	ret = write_files(config, key, cert);
	if (!ret)
		printf("%s %s\n", identity, name);
free_key:
	X509_free(cert);
	EVP_PKEY_free(key);
	return ret;
}
