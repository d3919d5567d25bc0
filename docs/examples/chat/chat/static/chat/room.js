// One room: one WebSocket, and everything live on the page comes through it.
import { address, avatar, byId, el } from "./dom.js";
import { Lifeline } from "./lifeline.js";
import { Log } from "./log.js";
import { Market } from "./market.js";
import { watchTree } from "./tree.js";

const page = document.querySelector("main").dataset;
const log = new Log(byId("log"));
const life = new Lifeline();
const market = new Market(byId("prices"), page.market);

let socket = null;
let you = "";
let path = "";
let crashSent = null; // when /crash was sent, to tell how long the restart took
let attempts = 0;

const frames = {
  welcome(frame) {
    ({ you, path } = frame);
    attempts = 0;
    life.open(frame.epoch, path);
    log.begin(frame.history, you);
    enable(true);
    const name = sessionStorage.getItem("name"); // this tab's name outlives a reload
    if (name && name !== you) socket.send(`/name ${name}`);
  },
  said: (frame) => log.said(frame, you),
  notice(frame) {
    if (frame.you) sessionStorage.setItem("name", (you = frame.you));
    log.notice(frame.text);
  },
  people: ({ names }) => byId("people").replaceChildren(
    ...names.slice(0, 5).map(avatar),
    el("span.count", `${names.length} here`)),
  restarted(frame) {
    const took = crashSent === null ? null : Math.max(1, Math.round(performance.now() - crashSent));
    crashSent = null;
    life.restarted(frame.epoch);
    log.crash(frame, life.seconds, took);
  },
  prices: (frame) => market.moved(frame),
};

function connect() {
  byId("ended").hidden = true;
  life.state("", "connecting");
  socket = new WebSocket(address(`/ws/chat/${page.room}/`));
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    frames[frame.type]?.(frame);
  };
  socket.onclose = ({ code }) => {
    enable(false);
    life.closed(`closed, ${code}`, code === 1011);
    if (code === 1011) explain();
    else retry();
    log.showEnd(); // the box took some of its height
  };
}

/** The budget is spent: say so, and leave the next step to the reader. */
function explain() {
  const again = el("button", "Reconnect");
  again.type = "button";
  again.addEventListener("click", connect);
  byId("ended").replaceChildren(
    el("div", el("b", "Closed with 1011: four crashes within five seconds."),
      el("span", "One bad message is forgiven, a broken consumer is not. The supervisor gave up on this socket alone; everybody else noticed nothing.")),
    again);
  byId("ended").hidden = false;
  again.focus();
}

/** The server has gone, or is restarting: try again, less and less often. */
function retry() {
  attempts += 1;
  const seconds = Math.min(15, 2 ** (attempts - 1)) * (0.75 + Math.random() / 2);
  byId("ended").replaceChildren(el("div", el("b", "The connection is gone."),
    el("span", `Trying again in ${Math.ceil(seconds)} s.`)));
  byId("ended").hidden = false;
  setTimeout(connect, seconds * 1000);
}

function enable(open) {
  for (const id of ["say", "send"]) byId(id).disabled = !open;
  for (const chip of document.querySelectorAll(".chip")) chip.disabled = !open;
  if (open && matchMedia("(hover: hover)").matches) byId("say").focus(); // no keyboard over a phone's page
}

function say(text) {
  if (!text.trim() || socket.readyState !== WebSocket.OPEN) return;
  if (text.startsWith("/")) log.command(text);
  if (text.trim() === "/crash") crashSent ??= performance.now();
  socket.send(text);
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  say(byId("say").value);
  byId("say").value = "";
});
for (const chip of document.querySelectorAll(".chip")) {
  chip.addEventListener("click", () => {
    if (chip.dataset.say) chip.dataset.say.split("|").forEach(say);
    if (chip.dataset.fill) byId("say").value = chip.dataset.fill;
    byId("say").focus();
  });
}

enable(false);
connect();
if (page.tree) watchTree(byId("tree"), page.tree, () => path);
