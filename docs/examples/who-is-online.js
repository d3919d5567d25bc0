// Keeps who is present in a room: a Map from name to what is said of them, one for each tab.
export function whoIsOnline(url, show) {
  const socket = new WebSocket(url);
  const present = new Map();
  socket.onmessage = ({ data }) => {
    const { type, joined, left, changed, whole } = JSON.parse(data);
    if (type !== "presence") return;
    if (whole) present.clear();
    for (const [name, tabs] of Object.entries({ ...joined, ...changed })) present.set(name, tabs);
    for (const name of left) present.delete(name);
    show(present);
  };
  return socket;
}
