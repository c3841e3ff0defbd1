// libcrypto and libssl as the target Crypto uses them; no other target imports this module.
// Swift imports neither function-like macros nor variadics, so each of those in use has one function here.
#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

// Only "http/1.1" is spoken. A client that offers protocols without it is refused (RFC 7301 §3.2); one that offers
// none is taken to mean it.
static inline int carillon_tls_choose_protocol(
    SSL *ssl, const unsigned char **chosen, unsigned char *chosenLength, const unsigned char *offered,
    unsigned int offeredLength, void *context) {
    static const unsigned char spoken[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char *match = NULL;
    (void)ssl;
    (void)context;
    if (SSL_select_next_proto(&match, chosenLength, spoken, sizeof spoken, offered, offeredLength)
        != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = match;
    return SSL_TLSEXT_ERR_OK;
}

// TLS 1.2 or later, as a server, without renegotiation and compression; idle connections give their buffers back;
// writes may stop halfway, as those of sockets do. Sessions are resumed by tickets alone: nothing is kept for them.
static inline SSL_CTX *carillon_tls_server_context(void) {
    static const unsigned char sessions[] = "carillon";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) return NULL;
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(
        context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, carillon_tls_choose_protocol, NULL);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1
        || SSL_CTX_set_session_id_context(context, sessions, sizeof sessions - 1) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

// The context owns the certificate afterwards.
static inline int carillon_tls_add_chain(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add0_chain_cert(context, certificate);
}

static inline void carillon_tls_limit_client_chain(SSL_CTX *context, long bytes) {
    SSL_CTX_set_max_cert_list(context, bytes);
}

// Never asks anybody for the passphrase of a key: an encrypted one cannot be read. Says by the context that it was
// asked for.
static inline int carillon_no_passphrase(char *buffer, int size, int writing, void *wasAsked) {
    (void)buffer;
    (void)size;
    (void)writing;
    *(int *)wasAsked = 1;
    return -1;
}

static inline EVP_PKEY *carillon_read_private_key(BIO *source, int *isEncrypted) {
    *isEncrypted = 0;
    return PEM_read_bio_PrivateKey(source, NULL, carillon_no_passphrase, isEncrypted);
}

// Whether the last error of this thread only says that no PEM block was left.
static inline int carillon_error_is_end_of_pem(void) {
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static inline int carillon_error_is_plain_http(unsigned long error) {
    return ERR_GET_LIB(error) == ERR_LIB_SSL
        && (ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST || ERR_GET_REASON(error) == SSL_R_HTTPS_PROXY_REQUEST);
}

static inline int carillon_error_is_truncation(unsigned long error) {
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

// Seconds since 1970, or -1 for what is no time.
static inline long long carillon_unix_seconds(const ASN1_TIME *time) {
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    int isKnown = epoch && time && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    return isKnown ? (long long)days * 86400 + seconds : -1;
}

// The subject as text such as "CN = node-1, O = Example"; the number of bytes written, without the final NUL.
static inline int carillon_subject(const X509 *certificate, char *buffer, int size) {
    BIO *memory = BIO_new(BIO_s_mem());
    int length = 0;
    if (!memory) return 0;
    if (X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE) >= 0)
        length = BIO_read(memory, buffer, size);
    BIO_free(memory);
    return length > 0 ? length : 0;
}
