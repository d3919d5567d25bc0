// What a checker of accessibility looks at first: labels, headers, names, and contrast by WCAG's
// formula (4.5 for text as small as this, 3 for what is drawn). Returns what is wrong, as texts.
() => {
    const faults = [];
    const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
        .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, nth) => sum + part * [0.2126, 0.7152, 0.0722][nth], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = rgb(getComputedStyle(at).backgroundColor);
            if (colour.length && (colour.length < 4 || colour[3] > 0)) return colour;
        }
        return [255, 255, 255];
    };
    for (const element of document.querySelectorAll("main *, .breadcrumbs *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim());
        if (!own || !element.getClientRects().length || element.closest(".visually-hidden")) continue;
        const [front, back] = [light(rgb(getComputedStyle(element).color)), light(behind(element))];
        const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
        if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${element.outerHTML.slice(0, 200)}`);
    }
    for (const drawn of document.querySelectorAll("#content svg")) {
        const [front, back] = [light(rgb(getComputedStyle(drawn).color)), light(behind(drawn))];
        const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
        const named = drawn.getAttribute("role") === "img" && drawn.getAttribute("aria-label");
        if (contrast < 3) faults.push(`contrast ${contrast.toFixed(2)}: ${drawn.outerHTML.slice(0, 200)}`);
        if (!named) faults.push(`no text: ${drawn.outerHTML.slice(0, 200)}`);
    }
    for (const field of document.querySelectorAll("#content input:not([type=hidden]):not([type=submit]), #content select"))
        if (!field.labels.length) faults.push(`no label: ${field.name}`);
    for (const cell of document.querySelectorAll("#content th"))
        if (!cell.scope) faults.push(`no scope: ${cell.textContent}`);
    for (const link of document.querySelectorAll("#content a"))
        if (!(link.textContent.trim() || link.getAttribute("aria-label"))) faults.push(`no name: ${link.href}`);
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`twice: ${id}`);
    return faults;
}
