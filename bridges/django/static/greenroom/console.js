// Keeps a page of the console up to date: what changes on the server is fetched as the page's own
// fragment and put in the place of what is there, element by element, so that focus, scroll, what is
// unfolded and what is selected stay. Without this script each page is whole, and reloads by hand.
"use strict";

(function () {
    const FRAGMENT = "X-Greenroom-Fragment";
    const POLL_MS = 5000; // where the feed does not come
    const LEAST_MS = 1000; // between two fetches, however much changes
    const SHARE = 5; // a fetch that takes a second is followed by five without one
    const FETCH_MS = 4000; // how long one may take: the worker may stand still, and another answer
    const QUIET_MS = 6000; // the feed says something every two seconds, or its worker stands still
    const WATCH_MS = 1000;
    const live = document.getElementById("gr-live");
    const bar = document.getElementById("gr-live-bar");
    const state = document.getElementById("gr-live-state");
    const toggle = document.getElementById("gr-live-toggle");
    if (!live || !live.dataset.feed || !bar) {
        return;
    }

    let source = null;
    let poll = 0;
    let due = 0;
    let fetched = 0;
    let pace = LEAST_MS;
    let heard = 0;
    let watch = 0;
    let fetching = false;
    let again = false;
    let paused = false;
    let on = false; // between start() and stop(); an answer that comes later is nobody's any more

    // -- what is shown ---------------------------------------------------------------------------

    function say(text) {
        // Only what differs: a screen reader says each change.
        if (state.textContent !== text) {
            state.textContent = text;
        }
    }

    function keyed(parent) {
        const found = new Map();
        for (const child of parent.children) {
            if (child.id) {
                found.set(child.id, child);
            }
        }
        return found;
    }

    function sameKind(one, other) {
        return one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id || "") === (other.id || "");
    }

    function adopt(node) {
        const fresh = document.importNode(node, true);
        if (fresh.nodeName === "TR" || fresh.nodeName === "LI") {
            fresh.classList.add("gr-new");
        }
        return fresh;
    }

    // Whether it is unfolded is the reader's own.
    function own(element, name) {
        return element.nodeName === "DETAILS" && name === "open";
    }

    function alike(old, fresh) {
        for (const { name, value } of [...fresh.attributes]) {
            if (!own(old, name) && old.getAttribute(name) !== value) {
                old.setAttribute(name, value);
            }
        }
        for (const { name } of [...old.attributes]) {
            if (!own(old, name) && !fresh.hasAttribute(name)) {
                old.removeAttribute(name);
            }
        }
    }

    // Makes the children of `old` those of `fresh`; what is the same element stays that element.
    function morph(old, fresh) {
        const known = keyed(old);
        const staying = keyed(fresh);
        let at = old.firstChild;
        for (const wanted of [...fresh.childNodes]) {
            let kept = null;
            if (wanted.id && known.has(wanted.id)) {
                kept = known.get(wanted.id);
                if (kept.nodeName !== wanted.nodeName) {
                    kept = null;
                }
            } else if (at && !wanted.id && sameKind(at, wanted)) {
                kept = at;
            }
            if (kept === null) {
                old.insertBefore(adopt(wanted), at);
                continue;
            }
            // To move an element takes the focus off it, so what is in its way goes instead.
            while (at && at !== kept && !staying.has(at.id)) {
                const next = at.nextSibling;
                at.remove();
                at = next;
            }
            if (kept === at) {
                at = at.nextSibling;
            } else {
                old.insertBefore(kept, at);
            }
            if (kept.nodeType === Node.ELEMENT_NODE) {
                if (!kept.isEqualNode(wanted)) {
                    alike(kept, wanted);
                    morph(kept, wanted);
                }
            } else if (kept.nodeValue !== wanted.nodeValue) {
                kept.nodeValue = wanted.nodeValue;
            }
        }
        while (at) {
            const next = at.nextSibling;
            at.remove();
            at = next;
        }
    }

    function isSelecting() {
        const selection = document.getSelection();
        return selection && !selection.isCollapsed && live.contains(selection.anchorNode);
    }

    // -- how it is fetched -----------------------------------------------------------------------

    // As a document: a page whose policy requires trusted types lets no script parse a text.
    function load(address) {
        return new Promise((resolve, reject) => {
            const request = new XMLHttpRequest();
            request.open("GET", address);
            request.responseType = "document";
            request.timeout = FETCH_MS;
            request.setRequestHeader(FRAGMENT, "1");
            request.onload = () => resolve(request);
            request.onerror = request.ontimeout = request.onabort = reject;
            request.send();
        });
    }

    async function refresh() {
        if (!on) {
            return;
        }
        if (fetching || isSelecting()) {
            again = true;
            return;
        }
        fetching = true;
        again = false;
        const began = Date.now();
        let silent = false;
        try {
            const address = window.location.href.split("#")[0];
            const answer = await load(address);
            if (!on) {
                return;
            }
            if (!answer.getResponseHeader(FRAGMENT) || !answer.response) {
                // Logged out, or not permitted any more: the server says so on a whole page.
                const elsewhere = answer.responseURL.split("#")[0] !== address;
                if (elsewhere || answer.status === 403) {
                    stop();
                    say("Not live: reload the page " + (answer.status === 403 ? "to see why" : "to log in again"));
                } else {
                    say("Not live: the server answered " + answer.status + ", asking again every 5 s");
                    start_polling();
                }
                return;
            }
            if (!isSelecting()) {
                const focused = document.activeElement;
                morph(live, answer.response.body);
                // In another order, or another element with its name.
                const again = focused.isConnected ? focused : focused.id && document.getElementById(focused.id);
                if (again && again !== document.activeElement) {
                    again.focus({ preventScroll: true });
                }
                live.dataset.updates = String(Number(live.dataset.updates) + 1);
            }
            say(source ? "Live" : "Live: asking every 5 s");
        } catch (failure) {
            if (!on) {
                return;
            }
            silent = failure.type === "timeout";
            say("Not live: the server can't be reached, asking again every 5 s");
            start_polling();
        } finally {
            fetching = false;
            fetched = Date.now();
            pace = silent ? LEAST_MS : Math.max(LEAST_MS, SHARE * (fetched - began));
            if (on && (again || silent)) {
                soon();
            }
        }
    }

    function soon() {
        if (!due) {
            due = window.setTimeout(() => {
                due = 0;
                refresh();
            }, Math.max(0, fetched + pace - Date.now()));
        }
    }

    function start_polling() {
        if (!poll) {
            poll = window.setInterval(refresh, POLL_MS);
        }
    }

    function stop() {
        on = false;
        if (source) {
            source.close();
            source = null;
        }
        window.clearInterval(poll);
        window.clearInterval(watch);
        window.clearTimeout(due);
        poll = 0;
        watch = 0;
        due = 0;
    }

    // Another worker may answer where this one stands still.
    function listen() {
        if (source && Date.now() - heard > QUIET_MS) {
            start();
            start_polling();
        }
    }

    function start() {
        stop();
        if (paused || document.hidden) {
            return;
        }
        on = true;
        say("Connecting");
        source = new EventSource(live.dataset.feed);
        heard = Date.now();
        watch = window.setInterval(listen, WATCH_MS);
        source.addEventListener("changed", () => {
            heard = Date.now();
            soon();
        });
        source.addEventListener("alive", () => {
            heard = Date.now();
        });
        source.onopen = () => {
            heard = Date.now();
            window.clearInterval(poll);
            poll = 0;
            say("Live");
        };
        source.onerror = () => {
            // The browser tries again by itself, unless it was told not to come.
            if (source && source.readyState === EventSource.CLOSED) {
                source = null;
                say("Live: asking every 5 s");
            }
            if (!poll) {
                soon(); // is it the stream alone, or the server?
            }
            start_polling();
        };
        soon();
    }

    // -- who stops it ----------------------------------------------------------------------------

    toggle.addEventListener("click", () => {
        paused = !paused;
        toggle.textContent = paused ? "Go on" : "Pause";
        if (paused) {
            stop();
            say("Paused");
        } else {
            start();
        }
    });
    document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
    window.addEventListener("pagehide", stop);
    window.addEventListener("pageshow", (event) => {
        if (event.persisted) {
            start();
        }
    });

    live.dataset.updates = "0"; // for tests
    bar.hidden = false;
    start();
})();
