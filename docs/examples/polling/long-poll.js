// A long-polling session of Greenroom's, used as a WebSocket is: onopen, onmessage, onclose,
// send(text), close(). Here messages are texts.
export class LongPoll {
  constructor(url) {
    Object.assign(this, { url, seen: 0, sent: 0, unsent: [], posting: false, over: false });
    setTimeout(() => this.run());
  }
  request(method, query = "", body = undefined) {
    const headers = this.token ? { "Greenroom-Token": this.token } : {};
    const options = { method, headers, body, cache: "no-store" };
    return fetch(this.url + query, options).catch(() => ({ status: 0, headers: new Headers() }));
  }
  pause(answer) {   // as long as the server says, else a second
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    return new Promise((done) => setTimeout(done, 1000 * seconds));
  }
  async run() {
    while (!this.over) {
      const answer = await this.request(this.token ? "GET" : "POST", this.token ? `?after=${this.seen}` : "");
      if (this.over) return;
      if (answer.status === 201) this.opened(await answer.json());
      else if (answer.status === 200) this.received(await answer.json());
      else if (answer.headers.get("Greenroom-Reason") === "superseded") return;   // by another poll
      else if ([400, 403, 410, 421].includes(answer.status)) this.ended(await answer.json().catch(() => ({})));
      else if (answer.status !== 204) await this.pause(answer);   // busy, or the network is gone
    }
  }
  opened({ token }) {
    this.token = token;
    this.onopen?.();
    this.post();
  }
  received({ messages, lost }) {
    if (lost) this.onlost?.(lost);   // only with on_window_full = "drop_oldest"
    for (const { seq, text } of messages) {
      if (seq <= this.seen) continue;   // again, because an answer was lost
      this.seen = seq;
      this.onmessage?.({ data: text });
    }
  }
  ended({ code = 1006, reason = "" }) {
    this.over = true;
    this.onclose?.({ code, reason });
  }
  send(text) {
    this.unsent.push({ seq: ++this.sent, text });
    this.post();
  }
  async post() {   // one request at a time, with all that waits; again until it has arrived
    if (this.posting || !this.token) return;
    this.posting = true;
    while (this.unsent.length && !this.over) {
      const body = JSON.stringify({ messages: this.unsent });
      const answer = await this.request("POST", "", body);
      if ([200, 409, 429].includes(answer.status)) {
        const { received } = await answer.json();
        this.unsent = this.unsent.filter(({ seq }) => seq > received);
      }
      if ([400, 410, 413, 421].includes(answer.status)) break;   // the poll learns why
      if (answer.status !== 200) await this.pause(answer);
    }
    this.posting = false;
  }
  close() {
    if (this.token && !this.over) this.request("DELETE");
    this.over = true;
  }
}
