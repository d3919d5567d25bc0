// The market on the front page: a socket that only listens.
import { address, byId } from "./dom.js";
import { Market } from "./market.js";

const market = new Market(byId("prices"), document.querySelector("main").dataset.market);
const socket = new WebSocket(address("/ws/market/"));
socket.onmessage = ({ data }) => market.moved(JSON.parse(data));
