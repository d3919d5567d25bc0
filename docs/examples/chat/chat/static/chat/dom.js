// Small helpers. Text goes into the page through textContent only: what people
// type is never read as HTML.

export const byId = (id) => document.getElementById(id);

/** Make an element: el("p.note", "some text", child, ...). */
export function el(selector, ...children) {
  const [tag, ...classes] = selector.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Seconds as 0:07, 12:34 or 1:02:03. */
export function clock(seconds) {
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const tail = `${two(seconds % 60)}`;
  return minutes < 60 ? `${minutes}:${tail}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${tail}`;
}

/** A colour of its own for everybody, from the name. */
export function hue(name) {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) % 360;
  return hash;
}

/** A round badge with the initials of a name. */
export function avatar(name) {
  const words = name.split(/[\s_-]+/).filter(Boolean);
  const letters = words.map((word) => [...word][0]).slice(0, 2).join("");
  const node = el("span.avatar", letters.toUpperCase() || "?");
  node.style.setProperty("--hue", hue(name));
  node.title = name;
  return node;
}

export const address = (path) =>
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
