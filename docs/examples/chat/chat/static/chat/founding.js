// A console for the founding consumer: what goes out, what comes back.
import { address, byId, el } from "./dom.js";

const log = byId("log");
const socket = new WebSocket(address("/ws/founding/"));

function show(kind, text) {
  log.append(el(`li.${kind}`, text));
  log.scrollTop = log.scrollHeight;
}

function say(text) {
  if (!text || socket.readyState !== WebSocket.OPEN) return;
  socket.send(text);
  show("out", text);
}

function state(kind, text) {
  byId("state").className = `state ${kind}`;
  byId("state").textContent = text;
}

socket.onopen = () => state("open", "open");
socket.onmessage = ({ data }) => show("in", data);
socket.onclose = ({ code }) => {
  state("closed", `closed, ${code}`);
  for (const control of byId("composer").elements) control.disabled = true;
  show("over", `closed with ${code}: reload the page for another socket`);
};

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  say(byId("say").value);
  byId("say").value = "";
});
for (const chip of document.querySelectorAll("[data-say]")) {
  chip.addEventListener("click", () => say(chip.dataset.say));
}
byId("binary").addEventListener("click", () => {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(new Uint8Array([0xde, 0xad]));
  show("out", "two bytes, de ad");
});
