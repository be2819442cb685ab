#pragma once
#include <curl/curl.h>
// The variadic curl_easy_setopt and curl_easy_getinfo are not imported: one typed wrapper per kind of argument.
static inline CURLcode ccurl_set_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_string(CURL *h, CURLoption o, const char *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_pointer(CURL *h, CURLoption o, void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_list(CURL *h, CURLoption o, struct curl_slist *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_off(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }
typedef size_t (*ccurl_write_fn)(char *, size_t, size_t, void *);
static inline CURLcode ccurl_set_write(CURL *h, CURLoption o, ccurl_write_fn f) { return curl_easy_setopt(h, o, f); }
typedef int (*ccurl_progress_fn)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
static inline CURLcode ccurl_set_progress(CURL *h, ccurl_progress_fn f, void *p) { curl_easy_setopt(h, CURLOPT_XFERINFODATA, p); return curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, f); }
typedef int (*ccurl_socket_fn)(CURL *, curl_socket_t, int, void *, void *);
typedef int (*ccurl_timer_fn)(CURLM *, long, void *);
static inline CURLMcode ccurl_multi_set_long(CURLM *h, CURLMoption o, long v) { return curl_multi_setopt(h, o, v); }
static inline CURLMcode ccurl_multi_set_socket(CURLM *h, ccurl_socket_fn f, void *p) { curl_multi_setopt(h, CURLMOPT_SOCKETDATA, p); return curl_multi_setopt(h, CURLMOPT_SOCKETFUNCTION, f); }
static inline CURLMcode ccurl_multi_set_timer(CURLM *h, ccurl_timer_fn f, void *p) { curl_multi_setopt(h, CURLMOPT_TIMERDATA, p); return curl_multi_setopt(h, CURLMOPT_TIMERFUNCTION, f); }
static inline CURLcode ccurl_get_socket(CURL *h, curl_socket_t *v) { return curl_easy_getinfo(h, CURLINFO_ACTIVESOCKET, v); }
static inline CURLcode ccurl_get_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode ccurl_get_double(CURL *h, CURLINFO i, double *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode ccurl_get_string(CURL *h, CURLINFO i, char **v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode ccurl_get_pointer(CURL *h, CURLINFO i, void **v) { return curl_easy_getinfo(h, i, v); }
static inline CURLMsg *ccurl_info_read(CURLM *h, int *left) { return curl_multi_info_read(h, left); }
static inline CURLcode ccurl_msg_result(CURLMsg *m) { return m->data.result; }
