// Live mark, times, copy buttons, keys, dialogs: what the pages gain from scripts. They work without.
(() => {
  "use strict";
  const body = document.body;
  const $ = (selector, inside = document) => inside.querySelector(selector);
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const baseTitle = document.title.replace(/^\(\d+\) /, "");

  // ---- times
  function span(s) {
    const two = (a, ua, b, ub) => `${a} ${ua}` + (b ? ` ${b} ${ub}` : "");
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor(s % 3600 / 60), "min");
    return two(Math.floor(s / 86400), "d", Math.floor(s % 86400 / 3600), "h");
  }
  function tellTimes(inside = document) {
    for (const time of all("time[data-time]", inside)) {
      const when = new Date(time.dateTime);
      const seconds = Math.max(0, Math.floor((Date.now() - when) / 1000));
      const absolute = when.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
      if (time.dataset.time === "ago") time.textContent = seconds < 1 ? "just now" : `${span(seconds)} ago`;
      if (time.dataset.time === "since") time.textContent = span(seconds);
      if (time.dataset.time === "at") time.textContent = absolute;
      time.title = `${absolute} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
    }
  }
  setInterval(tellTimes, 30000);

  // ---- live mark
  let heardAt = Date.now(), open = false, opened = 0;
  const mark = $("#live-mark");
  function tellLive() {
    if (!mark) return;
    const age = Math.round((Date.now() - heardAt) / 1000);
    const lost = !navigator.onLine || (!open && opened > 0 && age > 60) || (opened === 0 && age > 15);
    const state = lost ? "offline" : age > 20 ? "stale" : opened === 0 ? "connecting" : open ? "live" : "stale";
    const words = state === "stale" ? `stale ${age} s` : state;
    if (mark.dataset.state !== state && mark.dataset.state !== "connecting") $("#announce").textContent = `Live updates: ${state}`;
    mark.dataset.state = state;
    if (mark.lastElementChild.textContent !== words) mark.lastElementChild.textContent = words;
  }
  setInterval(tellLive, 1000);
  for (const name of ["online", "offline"]) addEventListener(name, tellLive);
  const hear = () => { heardAt = Date.now(); tellLive(); };
  body.addEventListener("htmx:sseOpen", (event) => {
    const source = event.detail.source;
    open = true;
    if (source.dataset) return;
    source.dataset = true;
    source.addEventListener("beat", hear);
    source.addEventListener("hello", () => {
      hear();
      // Whatever rang before this moment was not heard. Many pages reconnect at once: spread them.
      setTimeout(resync, opened === 0 ? 0 : Math.random() * 2000);
      opened += 1;
      tellLive();
    });
  });
  body.addEventListener("htmx:sseMessage", hear);
  body.addEventListener("htmx:sseError", () => { open = false; tellLive(); });
  function resync() { htmx.trigger(body, "live:resync"); }

  // ---- fragments: never under a reader's hands, never the same content twice
  const shown = new Map();
  let missed = false;
  const busy = (part) => $("dialog[open]") || $("details.confirm[open]", part)
    || (part.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox]), select, textarea"));
  const isLive = (element) => element instanceof Element && element.matches("[data-live]");
  body.addEventListener("htmx:beforeRequest", (event) => {
    if (isLive(event.target) && busy(event.target)) { missed = true; event.preventDefault(); }
  });
  function catchUp() {
    setTimeout(() => { if (missed) { missed = false; resync(); } }, 200);
  }
  document.addEventListener("focusout", catchUp);
  document.addEventListener("close", catchUp, true);
  document.addEventListener("toggle", (event) => { if (!event.target.open) catchUp(); }, true);
  // That time has passed is no change.
  function words(row) {
    const copy = row.cloneNode(true);
    all("time", copy).forEach((time) => time.remove());
    return copy.textContent;
  }
  const rows = (part) => new Map(all("[id][data-version], tr[id], li[id]", part).map((row) => [row.id, row.dataset.version ?? words(row)]));
  const before = new WeakMap();
  body.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target, xhr = event.detail.xhr;
    if (!isLive(part)) return;
    // Signed out meanwhile: the answer is the login page.
    if (new URL(xhr.responseURL).pathname !== new URL(part.getAttribute("hx-get"), location).pathname) return location.reload();
    const text = xhr.responseText.replace(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");
    if (shown.get(part.id) === text) event.detail.shouldSwap = false;
    shown.set(part.id, text);
    before.set(part, rows(part));
  });
  body.addEventListener("htmx:afterSettle", (event) => {
    const part = event.detail.target;
    tellTimes(part);
    tellFrame();
    const old = before.get(part);
    if (!old) return;
    for (const [id, version] of rows(part)) {
      if (old.get(id) !== version) document.getElementById(id).classList.add("changed");
    }
    before.delete(part);
  });
  body.addEventListener("animationend", (event) => event.target.closest(".changed")?.classList.remove("changed"));
  body.addEventListener("htmx:responseError", (event) => {
    if (!isLive(event.target)) toast(`The server answered ${event.detail.xhr.status}. Nothing was changed on this page.`);
  });
  body.addEventListener("htmx:sendError", (event) => {
    if (!isLive(event.target)) toast("The server could not be reached. Try again.");
  });
  function toast(text) {
    const note = document.createElement("div"), words = document.createElement("p");
    note.className = "toast-note toast-error";
    note.setAttribute("role", "alert");
    words.textContent = text;
    note.append(words);
    $("#toasts")?.append(note);
    note.addEventListener("click", () => note.remove());
  }
  function fade() {
    const notes = all(".toast-note[role=status]");
    setTimeout(() => notes.forEach((note) => note.remove()), 8000);
  }
  body.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.id === "toasts") fade(); });

  // ---- what the frame's fragment says: title, favicon, counts
  let said = null;
  function tellFrame() {
    const state = $("#frame-state");
    if (!state || said === state.dataset.said) return;
    const { open: count, critical } = state.dataset, isCritical = critical !== "0", icon = $("link[rel=icon]");
    document.title = (isCritical ? `(${critical}) ` : "") + baseTitle;
    const address = isCritical ? icon.dataset.critical : icon.dataset.calm;
    if (icon.getAttribute("href") !== address) icon.href = address;
    for (const pill of all("[data-alert-count]")) {
      pill.textContent = count;
      pill.hidden = count === "0";
      pill.classList.toggle("pill-critical", isCritical);
    }
    if (said !== null) $("#announce").textContent = state.dataset.said;
    said = state.dataset.said;
  }

  // ---- clicks
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy], [data-open], [data-dismiss], [data-theme-toggle]");
    for (const menu of all("details.menu[open], details.confirm[open]")) if (!menu.contains(event.target)) menu.open = false;
    if (!target) return;
    if ("copy" in target.dataset) {
      navigator.clipboard?.writeText(target.dataset.copy).then(() => {
        target.dataset.done = "";
        setTimeout(() => delete target.dataset.done, 1500);
      });
    } else if ("open" in target.dataset) document.getElementById(target.dataset.open).showModal();
    else if ("dismiss" in target.dataset) target.closest(".toast-note").remove();
    else {
      const root = document.documentElement;
      root.dataset.bsTheme = root.dataset.bsTheme === "dark" ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.bsTheme); } catch { /* storage may be forbidden */ }
    }
  });
  document.addEventListener("change", (event) => {
    const { target } = event;
    target.closest("form[data-filters]")?.requestSubmit();
    if (target.dataset.tick) for (const box of all(`input[name="${target.dataset.tick}"]`)) box.checked = target.checked;
  });

  // ---- keys
  let afterG = false;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      all("details.menu[open], details.confirm[open]").forEach((menu) => { menu.open = false; $("summary", menu).focus(); });
      if (location.hash === "#side") location.hash = "";
    }
    const isTyping = event.target.matches("input, select, textarea, [contenteditable]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
    const goTo = afterG && all(".side a[data-key]").find((link) => link.dataset.key === event.key);
    afterG = event.key === "g";
    if (afterG) setTimeout(() => { afterG = false; }, 1500);
    if (goTo) location.assign(goTo.href);
    else if (event.key === "/" && $("#find")) { event.preventDefault(); $("#find").focus(); }
    else if (event.key === "?") $("#keys")?.showModal();
  });

  tellTimes();
  tellFrame();
  fade();
  $(".form [role=alert]")?.focus();
})();
