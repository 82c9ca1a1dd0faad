// Keeps the page up to date: after an event it is read again, and the parts that differ are replaced.
// A hidden tab lets go of its connection: a browser has only a few for each server.
"use strict";

(() => {
  if (!document.querySelector("[data-live]")) return;
  let source = null;
  let isReading = false;
  let isOutdated = false;

  const listen = () => {
    if (source || document.hidden) return;
    source = new EventSource("/events");
    source.addEventListener("change", read);
    source.addEventListener("error", () => show("unreachable", true));
    source.addEventListener("open", read);
  };

  const leave = () => {
    source?.close();
    source = null;
  };

  const show = (id, isShown) => {
    document.getElementById(id).hidden = !isShown;
  };

  const read = async () => {
    isOutdated = isReading;
    if (isReading) return;
    isReading = true;
    try {
      const answer = await fetch(location.href);
      if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      show("unreachable", !answer.ok);
    } catch {
      show("unreachable", true);
    }
    isReading = false;
    if (isOutdated) read();
  };

  const replace = (page) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh) continue;
      for (const box of part.querySelectorAll("details[id][open]")) {
        fresh.querySelector(`#${CSS.escape(box.id)}`)?.setAttribute("open", "");
      }
      if (part.isEqualNode(fresh)) continue;
      const focused = part.contains(document.activeElement) ? place(document.activeElement) : null;
      part.replaceWith(document.adoptNode(fresh));
      if (focused) fresh.querySelector(focused)?.focus({ preventScroll: true });
    }
  };

  const place = (element) =>
    element.id ? `#${CSS.escape(element.id)}` : `[href="${CSS.escape(element.getAttribute("href"))}"]`;

  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
  addEventListener("pagehide", leave);
  addEventListener("pageshow", listen);
  listen();
})();
