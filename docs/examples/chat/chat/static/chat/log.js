// The conversation: lines of the room, and notes that only this page shows.
import { avatar, clock, el } from "./dom.js";

const TOGETHER = 180; // seconds: lines of one author closer than this share a head

export class Log {
  constructor(list) {
    this.list = list;
    this.seen = new Set();
    this.last = null;
  }

  /** Start with the history; lines that came in before it stay behind it. */
  begin(history, you) {
    this.list.replaceChildren();
    this.seen.clear();
    this.last = null;
    for (const line of history) this.said(line, you);
    if (!history.length) this.notice("Nobody has said anything here yet. Be the first.");
  }

  said({ id, author, text, at }, you) {
    if (this.seen.has(id)) return;
    this.seen.add(id);
    const together = this.last?.author === author && at - this.last.at < TOGETHER;
    const time = el("time", new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    const item = el("li.line", together ? null : avatar(author), el("div.bubble",
      together ? null : el("span.head", el("b", author), time),
      el("span.text", text)));
    item.classList.toggle("mine", author === you);
    item.classList.toggle("together", together);
    this.add(item);
    this.last = { author, at };
  }

  notice(text) {
    this.add(el("li.notice", text));
    this.last = null;
  }

  /** What this page sent and nobody else sees: a command. */
  command(text) {
    this.add(el("li.command", text));
    this.last = null;
  }

  crash({ epoch, reason }, openSeconds, milliseconds) {
    const took = milliseconds === null ? "" : ` Back after ${milliseconds} ms.`;
    this.add(el("li.crash",
      el("b", `consumer crashed (${reason}) and was restarted as epoch ${epoch}; this socket never closed`),
      el("span", `Connected for ${clock(openSeconds)} and counting.${took}`)));
    this.last = null;
  }

  add(item) {
    const below = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight;
    this.list.append(item);
    if (below < 80) this.showEnd();
  }

  showEnd() {
    this.list.scrollTop = this.list.scrollHeight;
  }
}
