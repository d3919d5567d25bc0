// Two lives drawn beside each other: the socket, and the consumers behind it.
import { byId, clock, el } from "./dom.js";

const SHOWN = 60_000; // milliseconds of the past that the lanes show

export class Lifeline {
  constructor() {
    this.sockets = [];
    this.consumers = [];
    this.crashes = 0;
    this.opened = 0;
    setInterval(() => this.draw(), 250);
  }

  open(epoch, path) {
    const now = Date.now();
    this.sockets.push({ from: now, to: null, label: "" });
    this.consumers.push({ from: now, to: null, label: epoch });
    this.opened += 1;
    this.crashes = 0;
    byId("sockets").textContent = this.opened;
    byId("path").textContent = path;
    this.show(epoch);
    this.state("open", "open");
  }

  restarted(epoch) {
    const now = Date.now();
    this.consumers.at(-1).to = now;
    this.consumers.at(-1).crashed = true;
    this.consumers.push({ from: now, to: null, label: epoch });
    this.crashes += 1;
    this.show(epoch);
  }

  closed(label, crashed) {
    const now = Date.now();
    for (const lane of [this.sockets, this.consumers]) if (lane.length) lane.at(-1).to ??= now;
    if (crashed && this.consumers.length) {
      this.consumers.at(-1).crashed = true;
      byId("crashes").textContent = this.crashes += 1;
    }
    this.state("closed", label);
  }

  /** Seconds since the socket was opened. */
  get seconds() {
    const socket = this.sockets.at(-1);
    return socket ? ((socket.to ?? Date.now()) - socket.from) / 1000 : 0;
  }

  show(epoch) {
    const badge = byId("epoch");
    badge.textContent = epoch;
    badge.classList.toggle("late", epoch > 1);
    badge.getAnimations().forEach((animation) => animation.cancel());
    if (epoch > 1) badge.animate(
      [{ transform: "scale(1.9)" }, { transform: "scale(0.9)" }, { transform: "scale(1)" }],
      { duration: 500, easing: "ease-out" });
    byId("crashes").textContent = this.crashes;
    this.draw();
  }

  state(kind, label) {
    const node = byId("state");
    node.className = `state ${kind}`;
    node.textContent = label;
    this.draw();
  }

  draw() {
    byId("connected").textContent = clock(this.seconds);
    paint(byId("lane-socket"), this.sockets);
    paint(byId("lane-consumer"), this.consumers);
  }
}

function paint(lane, lives) {
  const now = Date.now();
  const place = (when) => Math.max(0, 100 * (1 - (now - when) / SHOWN));
  const bars = [];
  for (const { from, to, label, crashed } of lives) {
    if (now - (to ?? now) > SHOWN) continue;
    const bar = el("i.life-bar", label);
    bar.style.left = `${place(from)}%`;
    bar.style.width = `${place(to ?? now) - place(from)}%`;
    bar.classList.toggle("over", to !== null);
    bars.push(bar);
    if (!crashed) continue;
    const cross = el("i.cross");
    cross.style.left = `${place(to)}%`;
    bars.push(cross);
  }
  lane.replaceChildren(...bars);
}
