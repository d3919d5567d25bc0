// The supervision tree, asked for again and again while the page is looked at.
import { el } from "./dom.js";

const EVERY = 1500; // milliseconds
const CHILDREN = 20; // shown below one supervisor

export function watchTree(container, address, ownPath) {
  const refresh = async () => {
    if (!document.hidden) container.replaceChildren(await load(address, ownPath()));
    setTimeout(refresh, EVERY);
  };
  refresh();
}

async function load(address, ownPath) {
  try {
    const response = await fetch(address, { headers: { Accept: "application/json" } });
    if (!response.ok || response.redirected) return el("p.hint", `The tree is not to be had just now (${response.status}).`);
    return el("ul", draw(await response.json(), ownPath));
  } catch {
    return el("p.hint", "The server does not answer.");
  }
}

function draw(node, ownPath) {
  const item = el("li", el("span.node",
    el(`i.dot.${node.state.replace(/[^a-z]+/g, "-")}`),
    el("b", node.kind === "root" ? "/" : node.name),
    node.actor ? el("span.actor", node.facts.request ?? node.actor) : null,
    node.epoch > 1 ? el("span.epoch.late", `epoch ${node.epoch}`) : null,
    ["running", "idle", "open"].includes(node.state) ? null : el("span.actor", node.state),
    node.path === ownPath ? el("span.you", "you") : null));
  item.firstChild.title = `${node.path}: ${node.state}`;
  const crash = node.crashes.at(-1);
  if (crash) {
    const note = el("span.last", `${crash.exception}: ${crash.text}`);
    note.title = crash.traceback;
    item.append(note);
  }
  const shown = node.children.slice(-CHILDREN);
  if (shown.length) item.append(el("ul", ...shown.map((child) => draw(child, ownPath))));
  const hidden = node.children.length - shown.length;
  if (hidden) item.append(el("span.last", `and ${hidden} more`));
  return item;
}
