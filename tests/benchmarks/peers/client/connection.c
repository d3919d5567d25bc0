/* Connections: dial, upgrade, frames in and out, the closing handshake, the end. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* the sample of RFC 6455, and its answer */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };
enum { SOURCES = 8 }; /* loopback addresses dialled from: ports in TIME_WAIT do not run out */

static int epoll;

void start_polling(void) { epoll = epoll_create1(EPOLL_CLOEXEC); }

void dial(struct connection *c) {
  static unsigned turn;
  int one = 1;
  struct sockaddr_in source = {.sin_family = AF_INET};
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + turn++ % SOURCES);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) fail("socket: %s", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(c->fd, (struct sockaddr *)&source, sizeof source)) fail("bind: %s", strerror(errno));
  c->state = CONNECTING;
  c->sent = c->received = 0;
  c->length = 0;
  c->got_close = false;
  c->began = now_ns();
  totals.dialling++;
  if (connect(c->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)
    fail("connect: %s", strerror(errno));
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

/* What is sent is small and waits for its answer, so a full socket buffer is a fault. */
void transmit(struct connection *c, const char *bytes, size_t length) {
  ssize_t sent = send(c->fd, bytes, length, MSG_NOSIGNAL);
  if (sent == (ssize_t)length) return;
  if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return; /* reading will tell */
  fail("sent %zd of %zu bytes: %s", sent, length, strerror(errno));
}

void start_closing(struct connection *c) {
  char frame[FRAME];
  c->state = CLOSING;
  totals.open--;
  transmit(c, frame, make_frame(frame, CLOSE, "\x03\xe8", 2));
}

void drop(struct connection *c, bool reset) {
  if (reset) {
    struct linger linger = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  }
  close(c->fd);
  if (c->state == OPEN) totals.open--;
  if (c->state == CONNECTING || c->state == UPGRADING) totals.dialling--;
  c->state = CLOSED;
}

static void opened(struct connection *c) {
  c->state = OPEN;
  totals.open++;
  totals.dialling--;
  if (options.mode->opened) options.mode->opened(c);
}

static void connected(struct connection *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) fail("connect: %s", strerror(error));
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
  if (options.mode->http) {
    opened(c);
    return;
  }
  char request[512];
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
                        "Sec-WebSocket-Version: 13\r\nOrigin: http://127.0.0.1:%d\r\n\r\n",
                        options.path, options.port, options.port);
  c->state = UPGRADING;
  transmit(c, request, (size_t)length);
}

/* Each take_... looks for one whole thing at the front of the input and returns its bytes,
 * or 0: more must be read first. */
static size_t take_upgrade(struct connection *c) {
  char *end = strstr(c->input, "\r\n\r\n");
  if (!end) return 0;
  if (strncmp(c->input, "HTTP/1.1 101", 12) || !strstr(c->input, ACCEPT))
    fail("answer to the upgrade: %.80s", c->input);
  opened(c);
  return (size_t)(end + 4 - c->input);
}

static size_t take_frame(struct connection *c, const char *at, size_t left, uint64_t now) {
  if (left < 2) return 0;
  int first = (uint8_t)at[0], length = (uint8_t)at[1], opcode = first & 15;
  if ((first & 0xf0) != 0x80 || length > 125)
    fail("connection %u: frame begins with %02x %02x", c->number, first, length);
  if (left < 2 + (size_t)length) return 0;
  if (opcode == TEXT && length == SIZE) {
    totals.received++;
    if (options.mode->message) options.mode->message(c, at + 2, now);
    c->received++;
  } else if (opcode == CLOSE && c->state == CLOSING) {
    c->got_close = true;
  } else if (opcode == PING) {
    char frame[6 + 125];
    transmit(c, frame, make_frame(frame, PONG, at + 2, (size_t)length));
  } else {
    fail("connection %u: frame %d of %d bytes", c->number, opcode, length);
  }
  return 2 + (size_t)length;
}

static size_t take_answer(struct connection *c, uint64_t now) {
  const char *payload;
  size_t used = take_response(c, &payload);
  if (used) {
    totals.received++;
    options.mode->message(c, payload, now);
    c->received++;
  }
  return used;
}

static void digest(struct connection *c) {
  size_t used = 0, took = 0;
  uint64_t now = now_ns();
  if (c->state == UPGRADING) used = take_upgrade(c);
  if (options.mode->http) used = take_answer(c, now);
  else if (c->state == OPEN || c->state == CLOSING)
    while ((took = take_frame(c, c->input + used, c->length - used, now))) used += took;
  if (used == 0 && c->length == INPUT) fail("connection %u: no end of a message", c->number);
  c->length -= used;
  memmove(c->input, c->input + used, c->length + 1);
  if (used && c->state == OPEN && options.mode->read) options.mode->read(c);
}

static void receive(struct connection *c) {
  ssize_t got = recv(c->fd, c->input + c->length, INPUT - c->length, 0);
  if (got > 0) {
    c->length += (size_t)got;
    c->input[c->length] = 0;
    digest(c);
  } else if (got < 0 && errno == EAGAIN) {
    return;
  } else if (options.mode->ended) {
    options.mode->ended(c);
  } else {
    if (c->state != CLOSING) fail("the server ended connection %u", c->number);
    if (!c->got_close) totals.unclean++;
    drop(c, !c->got_close);
  }
}

void pump(int milliseconds) {
  static struct epoll_event events[1024];
  int count = epoll_wait(epoll, events, 1024, milliseconds);
  for (int i = 0; i < count; i++) {
    struct connection *c = events[i].data.ptr;
    if (c->state == CONNECTING) connected(c);
    else if (c->state != CLOSED) receive(c);
  }
}
