#pragma once
// Variadic calls and macro-made constants are not imported by Swift: one wrapper per use.
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

typedef enum MHD_Result (*cmhd_handler)(void *, struct MHD_Connection *, const char *, const char *, const char *,
                                        const char *, size_t *, void **);
typedef void (*cmhd_completed)(void *, struct MHD_Connection *, void **, enum MHD_RequestTerminationCode);

/// Starts a daemon with a thread per connection on a bound, listening socket; key and cert may be NULL.
static inline struct MHD_Daemon *cmhd_start(int listener, unsigned connections, unsigned timeout_seconds,
                                            size_t stack, const char *key, const char *cert, cmhd_handler handler,
                                            cmhd_completed completed, void *context) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key},
                                   {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)cert},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    if (key) flags |= MHD_USE_TLS;
    return MHD_start_daemon(flags, 0, NULL, NULL, handler, context, MHD_OPTION_LISTEN_SOCKET, listener,
                            MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT, timeout_seconds,
                            MHD_OPTION_THREAD_STACK_SIZE, stack, MHD_OPTION_NOTIFY_COMPLETED, completed, context,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(64 * 1024), MHD_OPTION_ARRAY,
                            key ? tls : plain, MHD_OPTION_END);
}

/// A response that holds a copy of the bytes.
static inline struct MHD_Response *cmhd_response(const void *bytes, size_t length) {
    return MHD_create_response_from_buffer(length, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

/// A response of known length that asks `read` for its bytes and, when it has been sent or given up, calls `release`.
static inline struct MHD_Response *cmhd_response_reading(size_t length, MHD_ContentReaderCallback read, void *context,
                                                         MHD_ContentReaderFreeCallback release) {
    return MHD_create_response_from_callback(length, 64 * 1024, read, context, release);
}

/// The socket of a connection, or -1.
static inline int cmhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

// Linux's; <poll.h> hides it from strict compilers.
#ifndef POLLRDHUP
#define POLLRDHUP 0x2000
#endif

/// Whether the peer of a socket has closed its end, also when unread bytes lie before that, as those of TLS do.
static inline int cmhd_is_closed(int socket) {
    struct pollfd entry = {socket, POLLRDHUP, 0};
    return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/// Writes the peer's numeric address; empty if unknown.
static inline void cmhd_peer(struct MHD_Connection *connection, char *text, size_t length) {
    text[0] = 0;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr) return;
    socklen_t size = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    getnameinfo(info->client_addr, size, text, (socklen_t)length, NULL, 0, NI_NUMERICHOST);
}

static const enum MHD_Result cmhd_yes = MHD_YES;
static const enum MHD_Result cmhd_no = MHD_NO;

/// Lists the URL's parameters, or else the headers, with their lengths.
static inline void cmhd_values(struct MHD_Connection *connection, int headers, MHD_KeyValueIteratorN each, void *context) {
    MHD_get_connection_values_n(connection, headers ? MHD_HEADER_KIND : MHD_GET_ARGUMENT_KIND, each, context);
}
