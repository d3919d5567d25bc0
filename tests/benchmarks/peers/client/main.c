/* The load client: one thread, epoll, 127.0.0.1 only, bounded in time.
 *
 *     load MODE PORT PATH CONNECTIONS INFLIGHT WARMUP SECONDS
 *
 * Every payload that comes back is compared with the one that was due. The first wrong, missing or
 * doubled one voids the run: {"error": ...} and exit status 1. Otherwise one JSON object ends the
 * output. Before it, words on lines of their own tell the driver when to look at the server:
 *
 *     MEASURE, END   the borders of the measured window
 *     READY          mode idle: all connections are open; a line on stdin ends it
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "load.h"

struct options options;
struct totals totals;
struct connection *connections;

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void fail(const char *format, ...) {
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  for (char *at = text; *at; at++)
    if (*at == '"' || *at == '\\' || *at < 32 || *at == 127) *at = ' ';
  printf("{\"error\": \"%s\"}\n", text);
  exit(1);
}

static void say(const char *word) {
  printf("%s\n", word);
  fflush(stdout);
}

static double cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void open_all(double seconds) {
  uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
  int next = 0;
  while (totals.open < options.connections) {
    while (next < options.connections && totals.dialling < options.opening)
      dial(&connections[next++]);
    pump(100);
    if (now_ns() > until)
      fail("%d of %d connections opened in %.0f s", totals.open, options.connections, seconds);
  }
}

static void pump_until_received(uint64_t due, double seconds) {
  uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
  while (totals.received < due) {
    pump(20);
    if (now_ns() > until)
      fail("%llu messages never came back", (unsigned long long)(due - totals.received));
  }
}

static void close_all(double seconds) {
  uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
  if (options.mode->http) return;
  for (int i = 0; i < options.connections; i++)
    if (connections[i].state == OPEN) start_closing(&connections[i]);
  for (int left = 1; left && now_ns() < until;) {
    pump(50);
    left = 0;
    for (int i = 0; i < options.connections; i++) left += connections[i].state == CLOSING;
  }
  for (int i = 0; i < options.connections; i++) totals.unclean += connections[i].state == CLOSING;
}

static void pump_for(double seconds) {
  uint64_t now = now_ns(), until = now + (uint64_t)(seconds * 1e9), next_tick = now;
  for (; now < until; now = now_ns()) {
    pump(20);
    if (options.mode->tick && now >= next_tick) {
      options.mode->tick(now);
      next_tick = now + 100000000u;
    }
  }
}

static void measure(double *wall, double *cpu) {
  pump_for(options.warmup);
  say("MEASURE");
  uint64_t began = now_ns();
  *cpu = cpu_seconds();
  totals.measuring = true;
  pump_for(options.seconds);
  totals.measuring = false;
  *cpu = cpu_seconds() - *cpu;
  *wall = (double)(now_ns() - began) / 1e9;
  say("END");
}

static void stay_idle(double seconds) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
  pump_until_received(totals.sent, 30);
  say("READY");
  while (now_ns() < until && !poll(&input, 1, 0)) pump(100);
}

int main(int argc, char **argv) {
  if (argc != 8) fail("usage: load MODE PORT PATH CONNECTIONS INFLIGHT WARMUP SECONDS");
  options.mode = mode_named(argv[1]);
  options.port = atoi(argv[2]);
  options.path = argv[3];
  options.connections = atoi(argv[4]);
  options.inflight = atoi(argv[5]);
  options.opening = 16;
  options.warmup = atof(argv[6]);
  options.seconds = atof(argv[7]);
  if (options.inflight < 1 || options.inflight > INFLIGHT_MAX || options.seconds > 60)
    fail("INFLIGHT is 1 to %d, SECONDS at most 60", INFLIGHT_MAX);
  connections = calloc((size_t)options.connections, sizeof *connections);
  for (int i = 0; i < options.connections; i++) connections[i].number = (uint32_t)i;
  double wall = 0, cpu = 0;
  start_polling();
  if (options.mode->opens_first) open_all(60);
  options.mode->begin();
  if (!strcmp(options.mode->name, "idle")) stay_idle(60);
  else measure(&wall, &cpu);
  totals.stopping = true;
  if (options.mode->due) pump_until_received(options.mode->due(), 10);
  close_all(20);
  printf("{\"rate\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"client_cpu\": %.3f,"
         " \"measured\": %llu, \"unclean\": %llu}\n",
         wall > 0 ? (double)totals.measured / wall : 0.0, latency_us(.5), latency_us(.99),
         wall > 0 ? cpu / wall : 0.0, (unsigned long long)totals.measured,
         (unsigned long long)totals.unclean);
  return 0;
}
