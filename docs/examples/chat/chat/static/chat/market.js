// Prices with a sparkline each, from the ticker's frames.
import { byId, el } from "./dom.js";

const KEPT = 60; // prices in a sparkline
const SILENT = 4; // seconds without a price, after which the ticker counts as down
const SVG = "http://www.w3.org/2000/svg";

export class Market {
  constructor(container, historyAddress) {
    this.container = container;
    this.rows = new Map();
    this.heard = Date.now();
    this.load(historyAddress);
    setInterval(() => this.listen(), 1000);
  }

  async load(historyAddress) {
    try {
      const response = await fetch(historyAddress);
      if (!response.ok) return; // the ticker is down just now: its frames will do
      const { names, prices } = await response.json();
      for (const [symbol, name] of Object.entries(names)) {
        const row = this.row(symbol);
        row.name.textContent = name;
        row.values = [...prices.map((step) => step[symbol]), ...row.values].slice(-KEPT);
        draw(row);
      }
    } catch (error) {
      console.warn("no price history:", error);
    }
  }

  /** A frame of the ticker: one new price for each company. */
  moved({ prices, epoch }) {
    for (const [symbol, price] of Object.entries(prices)) {
      const row = this.row(symbol);
      row.values = [...row.values, price].slice(-KEPT);
      draw(row);
    }
    this.heard = Date.now();
    this.tell(`ticker, epoch ${epoch}`, epoch > 1);
  }

  /** Between frames: has the ticker fallen silent? */
  listen() {
    const seconds = Math.floor((Date.now() - this.heard) / 1000);
    if (seconds >= SILENT) this.tell(`ticker silent for ${seconds} s`, true);
  }

  tell(text, late) {
    const tag = byId("ticker");
    if (!tag || tag.textContent === text) return;
    tag.textContent = text;
    tag.classList.toggle("late", late);
  }

  row(symbol) {
    if (this.rows.has(symbol)) return this.rows.get(symbol);
    const row = { values: [], name: el("small"), price: el("b"), change: el("small") };
    row.line = document.createElementNS(SVG, "polyline");
    row.area = document.createElementNS(SVG, "polygon");
    const spark = document.createElementNS(SVG, "svg");
    spark.setAttribute("viewBox", "0 0 100 30");
    spark.setAttribute("preserveAspectRatio", "none");
    spark.setAttribute("aria-hidden", "true");
    spark.append(row.area, row.line);
    row.node = el("div.price", el("span.who", el("b", symbol), row.name), spark, el("span.what", row.price, row.change));
    row.node.dataset.symbol = symbol;
    this.rows.set(symbol, row);
    this.container.append(row.node);
    return row;
  }
}

function draw(row) {
  const { values } = row;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const x = (index) => 100 * index / Math.max(values.length - 1, 1);
  const y = (value) => 27 - 24 * (value - low) / (high - low || 1);
  const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  row.line.setAttribute("points", points);
  row.area.setAttribute("points", `0,30 ${points} 100,30`);
  const price = values.at(-1);
  const change = 100 * (price / values[0] - 1);
  row.price.textContent = price.toFixed(2);
  row.change.textContent = `${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(1)} %`;
  row.node.classList.toggle("down", change < 0);
}
