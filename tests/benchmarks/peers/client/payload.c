/* Payloads, frames and the latency histogram. Nothing here opens a socket. */
#include <string.h>

#include "load.h"

/* 16 hex digits say whose payload it is and which; the rest is a pattern that depends on both, so
 * that no two payloads under way are alike. All of it may stand in a URL. */
void make_payload(char *payload, uint32_t who, uint32_t sequence) {
  static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (int i = 0; i < 8; i++) {
    payload[i] = digits[who >> (28 - 4 * i) & 15];
    payload[8 + i] = digits[sequence >> (28 - 4 * i) & 15];
  }
  uint32_t at = (who * 7 + sequence) % 36;
  for (int i = 16; i < SIZE; i++) {
    payload[i] = digits[at];
    at = at >= 25 ? at - 25 : at + 11;
  }
}

/* A masked frame of at most 125 bytes. Returns its length. */
size_t make_frame(char *frame, int opcode, const char *payload, size_t length) {
  static const char mask[4] = {0x1a, 0x3c, 0x71, 0x65};
  frame[0] = (char)(0x80 | opcode);
  frame[1] = (char)(0x80 | length);
  memcpy(frame + 2, mask, 4);
  for (size_t i = 0; i < length; i++) frame[6 + i] = payload[i] ^ mask[i & 3];
  return 6 + length;
}

/* 64 buckets for each power of two: no latency is off by more than 1.6 %. */
static uint64_t buckets[64 * 64], observed;

void latency_add(uint64_t ns) {
  int at = (int)ns;
  if (ns >= 64) {
    int exponent = 63 - __builtin_clzll(ns);
    at = (exponent - 5) * 64 + (int)(ns >> (exponent - 6) & 63);
  }
  buckets[at]++;
  observed++;
}

double latency_us(double quantile) {
  uint64_t wanted = (uint64_t)(quantile * (double)observed), seen = 0;
  for (int at = 0; observed && at < 64 * 64; at++) {
    seen += buckets[at];
    if (seen <= wanted) continue;
    if (at < 64) return at / 1e3;
    return (double)((64ull + at % 64) << (at / 64 - 1)) / 1e3;
  }
  return 0;
}
