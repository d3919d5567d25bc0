/* Responses to the requests of the mode http: 200, with a length or in chunks, body as asked. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "load.h"

/* Gather the chunks at *bytes* into *body*. Returns where they end, or NULL: not all there yet. */
static const char *gather(const char *bytes, const char *end, char *body, size_t *length) {
  for (*length = 0;;) {
    const char *line_end = memmem(bytes, (size_t)(end - bytes), "\r\n", 2);
    if (!line_end) return NULL;
    size_t size = strtoul(bytes, NULL, 16);
    if (*length + size > SIZE) fail("a response body of more than %d bytes", SIZE);
    if ((size_t)(end - line_end) < 2 + size + 2) return NULL;
    memcpy(body + *length, line_end + 2, size);
    *length += size;
    bytes = line_end + 2 + size + 2;
    if (size == 0) return bytes;
  }
}

/* Look for one whole response in the input. Returns its bytes, with *payload* set; 0: not yet. */
size_t take_response(struct connection *c, const char **payload) {
  static char body[SIZE];
  char *head_end = strstr(c->input, "\r\n\r\n");
  if (!head_end) return 0;
  if (strncmp(c->input, "HTTP/1.1 200", 12)) fail("response: %.80s", c->input);
  const char *end = c->input + c->length, *after = head_end + 4;
  *head_end = 0; /* the searches stop here */
  const char *told = strcasestr(c->input, "\r\ncontent-length:");
  bool chunked = strcasestr(c->input, "\r\ntransfer-encoding: chunked") != NULL;
  bool closes = strcasestr(c->input, "\r\nconnection: close") != NULL;
  *head_end = '\r';
  size_t length = told ? strtoul(told + 17, NULL, 10) : 0;
  if (chunked) {
    after = gather(after, end, body, &length);
    *payload = body;
  } else {
    *payload = after;
    after = (size_t)(end - after) < length ? NULL : after + length;
  }
  if (!after) return 0;
  if (length != SIZE) fail("a response body of %zu bytes", length);
  c->got_close |= closes;
  return (size_t)(after - c->input);
}
