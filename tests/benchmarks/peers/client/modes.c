/* The kinds of load. Each compares every payload with the one that was due. */
#include <stdio.h>
#include <string.h>

#include "load.h"

static uint64_t all_sent(void) { return totals.sent; }

static void compare(struct connection *c, const char *payload, uint32_t who) {
  char wanted[SIZE];
  make_payload(wanted, who, c->received);
  if (memcmp(wanted, payload, SIZE))
    fail("connection %u: wrong payload: %.*s instead of %.*s", c->number, SIZE, payload, SIZE,
         wanted);
}

static void count(uint64_t began, uint64_t now) {
  if (!totals.measuring) return;
  totals.measured++;
  latency_add(now - began);
}

/* -- echo: `inflight` messages under way on each connection; they come back in order ---------- */

static void refill(struct connection *c) {
  char frames[INFLIGHT_MAX * FRAME], payload[SIZE];
  size_t length = 0;
  if (totals.stopping) return;
  uint64_t now = now_ns();
  while (c->sent < c->received + (uint32_t)options.inflight) {
    make_payload(payload, c->number, c->sent);
    length += make_frame(frames + length, 1, payload, SIZE);
    c->times[c->sent++ % INFLIGHT_MAX] = now;
    totals.sent++;
  }
  if (length) transmit(c, frames, length);
}

static void refill_all(void) {
  for (int i = 0; i < options.connections; i++) refill(&connections[i]);
}

static void echoed(struct connection *c, const char *payload, uint64_t now) {
  if (c->received == c->sent) fail("connection %u: an echo of nothing", c->number);
  compare(c, payload, c->number);
  count(c->times[c->received % INFLIGHT_MAX], now);
}

/* -- fanout: the first connection sends; the next one goes when every member has the last ------ */

enum { PUBLISHER = 0xb0b0b0 };

static uint32_t published, delivered;
static uint64_t published_at;

static void publish(void) {
  char frame[FRAME], payload[SIZE];
  make_payload(payload, PUBLISHER, published++);
  delivered = 0;
  published_at = now_ns();
  transmit(&connections[0], frame, make_frame(frame, 1, payload, SIZE));
}

static void delivery(struct connection *c, const char *payload, uint64_t now) {
  if (c->received >= published) fail("connection %u: a broadcast came twice", c->number);
  compare(c, payload, PUBLISHER);
  count(published_at, now);
  if (++delivered == (uint32_t)options.connections && !totals.stopping) publish();
}

static void look_for_stall(uint64_t now) {
  if (now > published_at + 5000000000ull)
    fail("broadcast %u reached %u of %d", published, delivered, options.connections);
}

static uint64_t all_delivered(void) { return (uint64_t)published * (uint64_t)options.connections; }

/* -- storm: connect, upgrade, close, end of TCP, again ----------------------------------------- */

static void dial_all(void) {
  for (int i = 0; i < options.connections; i++) dial(&connections[i]);
}

static void cycle(struct connection *c) {
  if (c->state != CLOSING) fail("the server ended connection %u in its handshake", c->number);
  if (c->got_close) count(c->began, now_ns());
  else totals.unclean++;
  drop(c, !c->got_close);
  if (!totals.stopping) dial(c);
}

static void end_slow_ones(uint64_t now) { /* a server that never ends the TCP connection */
  for (int i = 0; i < options.connections; i++) {
    struct connection *c = &connections[i];
    if (c->state == CLOSING && now > c->began + 2000000000ull) {
      c->got_close = false;
      cycle(c);
    }
  }
}

/* -- http: one request after the other on each kept connection ---------------------------------- */

static void request(struct connection *c) {
  char bytes[512], payload[SIZE];
  if (totals.stopping || c->got_close) return;
  make_payload(payload, c->number, c->sent);
  int length = snprintf(bytes, sizeof bytes, "GET %s?%.*s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                        options.path, SIZE, payload, options.port);
  c->times[c->sent++ % INFLIGHT_MAX] = now_ns();
  totals.sent++;
  transmit(c, bytes, (size_t)length);
}

static bool begun;

static void request_all(void) {
  begun = true;
  for (int i = 0; i < options.connections; i++) request(&connections[i]);
}

static void request_on_new(struct connection *c) {
  if (begun) request(c); /* dialled again; at first all wait for request_all */
}

static void dial_again(struct connection *c) { /* servers limit the requests of one connection */
  if (!c->got_close) fail("the server ended connection %u unannounced", c->number);
  drop(c, false);
  if (!totals.stopping) dial(c);
}

static const struct mode modes[] = {
    {.name = "echo", .opens_first = true, .begin = refill_all, .message = echoed, .read = refill,
     .due = all_sent},
    {.name = "idle", .opens_first = true, .begin = refill_all, .message = echoed, .due = all_sent},
    {.name = "fanout", .opens_first = true, .begin = publish, .message = delivery,
     .tick = look_for_stall, .due = all_delivered},
    {.name = "storm", .begin = dial_all, .opened = start_closing, .ended = cycle,
     .tick = end_slow_ones},
    {.name = "http", .http = true, .opens_first = true, .begin = request_all,
     .opened = request_on_new, .message = echoed, .read = request, .ended = dial_again,
     .due = all_sent},
};

const struct mode *mode_named(const char *name) {
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
    if (!strcmp(modes[i].name, name)) return &modes[i];
  fail("unknown mode %s", name);
}
