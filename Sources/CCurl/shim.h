// libcurl as the target HTTPTransport uses it; no other target imports this module.
// Swift does not import C variadics, so each option's argument type has one static inline function here.
#pragma once
#include <curl/curl.h>

typedef size_t (*carillon_curl_data_callback)(char *bytes, size_t size, size_t count, void *context);
typedef int (*carillon_curl_socket_callback)(
    CURL *easy, curl_socket_t socket, int what, void *context, void *perSocket);
typedef int (*carillon_curl_timer_callback)(CURLM *multi, long milliseconds, void *context);
typedef curl_socket_t (*carillon_curl_opensocket_callback)(
    void *context, curlsocktype purpose, struct curl_sockaddr *address);

static inline CURLcode carillon_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode carillon_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode carillon_curl_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode carillon_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode carillon_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode carillon_curl_clear_string(CURL *easy, CURLoption option) {
    return curl_easy_setopt(easy, option, (const char *)NULL);
}

// libcurl copies the bytes.
static inline CURLcode carillon_curl_set_blob(CURL *easy, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
    return curl_easy_setopt(easy, option, &blob);
}

static inline CURLSHcode carillon_curl_share_data(CURLSH *share, curl_lock_data data) {
    return curl_share_setopt(share, CURLSHOPT_SHARE, data);
}

static inline CURLcode carillon_curl_set_data_callback(
    CURL *easy, CURLoption option, carillon_curl_data_callback callback) {
    return curl_easy_setopt(easy, option, callback);
}

static inline CURLcode carillon_curl_set_opensocket_callback(CURL *easy, carillon_curl_opensocket_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
}

static inline CURLcode carillon_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode carillon_curl_get_pointer(CURL *easy, CURLINFO info, char **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode carillon_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode carillon_curl_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) {
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode carillon_curl_multi_set_socket_callback(CURLM *multi, carillon_curl_socket_callback callback) {
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, callback);
}

static inline CURLMcode carillon_curl_multi_set_timer_callback(CURLM *multi, carillon_curl_timer_callback callback) {
    return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, callback);
}

// CURLMsg keeps the result in a union; the pointer is valid until the handle is removed.
static inline CURLcode carillon_curl_message_result(const CURLMsg *message) {
    return message->data.result;
}
