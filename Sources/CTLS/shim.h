#pragma once
// OpenSSL's macros and what needs C to be held right, as typed functions; bcrypt of libcrypt.
#include <crypt.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/// A context of servers, without session resumption: each handshake checks the client's certificate.
static inline SSL_CTX *ctls_context(int min_version, int max_version, int server_preference) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) return NULL;
    SSL_CTX_set_min_proto_version(context, min_version);
    SSL_CTX_set_max_proto_version(context, max_version);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF |
                                     (server_preference ? SSL_OP_CIPHER_SERVER_PREFERENCE : 0));
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    return context;
}

/// The text of the oldest error of this thread; the queue is empty afterwards.
static inline void ctls_error(char *text, size_t length) {
    unsigned long code = ERR_get_error();
    if (code) ERR_error_string_n(code, text, length);
    else text[0] = 0;
    ERR_clear_error();
}

/// Adds a PEM chain: the server's certificate first. Returns 1 if all is well.
static inline int ctls_use_chain(SSL_CTX *context, const void *pem, int length) {
    BIO *bio = BIO_new_mem_buf(pem, length);
    if (!bio) return 0;
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    int ok = leaf && SSL_CTX_use_certificate(context, leaf) == 1;
    X509_free(leaf);
    while (ok) {
        X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!next) {
            ERR_clear_error();
            break;
        }
        if (SSL_CTX_add0_chain_cert(context, next) != 1) {
            X509_free(next);
            ok = 0;
        }
    }
    BIO_free(bio);
    return ok;
}

static inline int ctls_no_password(char *buffer, int size, int writing, void *context) { return 0; }

/// Sets the private key; 1 if it is one and belongs to the certificate.
static inline int ctls_use_key(SSL_CTX *context, const void *pem, int length) {
    BIO *bio = BIO_new_mem_buf(pem, length);
    if (!bio) return 0;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, ctls_no_password, NULL);
    BIO_free(bio);
    int ok = key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    return ok;
}

/// Trusts the certificates of a PEM text for clients; returns how many there are.
static inline int ctls_trust_clients(SSL_CTX *context, const void *pem, int length) {
    BIO *bio = BIO_new_mem_buf(pem, length);
    if (!bio) return 0;
    int count = 0;
    X509 *authority;
    while ((authority = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority);
        SSL_CTX_add_client_CA(context, authority);
        X509_free(authority);
        count++;
    }
    ERR_clear_error();
    BIO_free(bio);
    return count;
}

static inline int ctls_accept_any(int ok, X509_STORE_CTX *store) { return 1; }

/// Which certificates clients must show. `checks` = 0 takes each one that is shown.
static inline void ctls_set_client_certificates(SSL_CTX *context, int asks, int requires, int checks) {
    int mode = asks ? SSL_VERIFY_PEER | (requires ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0) : SSL_VERIFY_NONE;
    SSL_CTX_set_verify(context, mode, checks ? NULL : ctls_accept_any);
}

static inline int ctls_set_curves(SSL_CTX *context, const char *list) { return SSL_CTX_set1_groups_list(context, list) == 1; }

/// Calls `each` with the kind (2 name, 1 mail, 6 URI, 7 address) and bytes of each alternative name of the peer.
static inline int ctls_peer_names(SSL *ssl, void (*each)(void *, int, const unsigned char *, int), void *target) {
    X509 *peer = SSL_get1_peer_certificate(ssl);
    if (!peer) return 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(peer, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_EMAIL && name->type != GEN_URI && name->type != GEN_IPADD) continue;
        const ASN1_STRING *text = name->type == GEN_IPADD ? name->d.iPAddress : name->d.ia5;
        each(target, name->type, ASN1_STRING_get0_data(text), ASN1_STRING_length(text));
    }
    GENERAL_NAMES_free(names);
    X509_free(peer);
    return 1;
}

/// Hashes `password` as `setting` (a bcrypt hash) says and compares; 1 if it is the one.
static inline int ctls_password_matches(const char *password, const char *setting) {
    struct crypt_data *data = calloc(1, sizeof *data);
    if (!data) return 0;
    const char *hash = crypt_r(password, setting, data);
    size_t length = strlen(setting);
    int same = hash && strlen(hash) == length && CRYPTO_memcmp(hash, setting, length) == 0;
    OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return same;
}

/// Encrypts nothing yet: takes the handshake a step further. 1 done, 2 needs reading, 3 needs writing, 0 failed.
static inline int ctls_handshake(SSL *ssl) {
    ERR_clear_error();
    int result = SSL_accept(ssl);
    if (result == 1) return 1;
    int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_WANT_READ ? 2 : error == SSL_ERROR_WANT_WRITE ? 3 : 0;
}

/// Reads; more than 0 bytes, 0 at the end, -2 needs reading, -3 needs writing, -1 failed.
static inline long ctls_read(SSL *ssl, void *target, size_t length) {
    ERR_clear_error();
    size_t count = 0;
    if (SSL_read_ex(ssl, target, length, &count) == 1) return (long)count;
    int error = SSL_get_error(ssl, 0);
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    return error == SSL_ERROR_WANT_READ ? -2 : error == SSL_ERROR_WANT_WRITE ? -3 : -1;
}

/// Writes a part; more than 0 bytes, -2 needs reading, -3 needs writing, -1 failed.
static inline long ctls_write(SSL *ssl, const void *source, size_t length) {
    ERR_clear_error();
    size_t count = 0;
    if (SSL_write_ex(ssl, source, length, &count) == 1) return (long)count;
    int error = SSL_get_error(ssl, 0);
    return error == SSL_ERROR_WANT_READ ? -2 : error == SSL_ERROR_WANT_WRITE ? -3 : -1;
}

static inline int ctls_require_tls13(SSL_CTX *context) { return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1; }
