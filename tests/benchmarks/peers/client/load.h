/* What the files of the load client share; main.c says what the program does. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  SIZE = 64,           /* bytes of every payload */
  FRAME = 6 + SIZE,    /* bytes of the masked frame that carries one */
  INFLIGHT_MAX = 64,   /* messages under way on one connection */
  INPUT = 8192,        /* bytes that one connection may have unread */
};

enum state { CLOSED, CONNECTING, UPGRADING, OPEN, CLOSING };

struct connection {
  int fd;
  enum state state;
  uint32_t number;          /* which of options.connections */
  uint32_t sent, received;  /* messages, so also the next to send and the next due */
  bool got_close;           /* the server's close frame, or `Connection: close` */
  uint64_t began;           /* ns: when it was dialled */
  uint64_t times[INFLIGHT_MAX]; /* ns: when message n % INFLIGHT_MAX was sent */
  size_t length;            /* bytes in `input` */
  char input[INPUT + 1];    /* always with a 0 behind the last byte */
};

/* One kind of load. A hook that is NULL does nothing. */
struct mode {
  const char *name;
  bool http;                /* requests, not a WebSocket */
  bool opens_first;         /* all connections are open before anything is sent */
  void (*begin)(void);
  void (*opened)(struct connection *);
  void (*message)(struct connection *, const char *payload, uint64_t now);
  void (*read)(struct connection *); /* after the last whole message of one read */
  void (*ended)(struct connection *); /* the server ended the TCP connection */
  void (*tick)(uint64_t now);
  uint64_t (*due)(void);    /* messages that should have been received by now */
};

struct options {
  const struct mode *mode;
  const char *path;
  int port, connections, inflight, opening; /* opening: how many are dialled at once */
  double warmup, seconds;
};

struct totals {
  uint64_t sent, received;
  uint64_t measured;        /* units of work in the measured window */
  uint64_t unclean;         /* connections that did not end with a closing handshake */
  int open, dialling;
  bool measuring, stopping;
};

extern struct options options;
extern struct totals totals;
extern struct connection *connections;

/* main.c */
uint64_t now_ns(void);
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* payload.c: pure */
void make_payload(char *payload, uint32_t who, uint32_t sequence);
size_t make_frame(char *frame, int opcode, const char *payload, size_t length);
void latency_add(uint64_t ns);
double latency_us(double quantile);

/* connection.c */
void start_polling(void);
void dial(struct connection *);
void transmit(struct connection *, const char *bytes, size_t length);
void start_closing(struct connection *);
void drop(struct connection *, bool reset);
void pump(int milliseconds);

/* http.c */
size_t take_response(struct connection *, const char **payload);

/* modes.c */
const struct mode *mode_named(const char *name);

#endif
