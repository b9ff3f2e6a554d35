// What the pages can do beyond forms and links: keys, selecting rows, local times, closing menus. All optional.
"use strict";

(() => {
  const first = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const typing = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");

  // ---- times: relative ones stay true, exact ones are in this machine's zone
  const UNITS = [[86400, "day", "days"], [3600, "h", "h"], [60, "min", "min"], [1, "s", "s"]];
  const relative = (seconds) => {
    if (seconds < 5) return "just now";
    const [size, one, many] = UNITS.find(([unit]) => seconds >= unit);
    const count = Math.floor(seconds / size);
    return `${count} ${count === 1 ? one : many} ago`;
  };
  const tellTimes = () => {
    for (const element of all("time[datetime]")) {
      const moment = new Date(element.dateTime);
      element.title = moment.toLocaleString(navigator.language, { dateStyle: "medium", timeStyle: "medium" });
      const seconds = (Date.now() - moment) / 1000;
      if (seconds >= 0 && seconds < 86400 && !/^\d+ \w+ \d+$/.test(element.textContent)) element.textContent = relative(seconds);
    }
  };

  // ---- rows: j/k walk, Enter opens, x selects
  const rows = () => all("tr[data-row]").filter((row) => row.offsetParent !== null);
  const walk = (step) => {
    const list = rows();
    if (!list.length) return;
    const at = list.findIndex((row) => row.classList.contains("at"));
    const next = list[Math.min(Math.max(at + step, 0), list.length - 1)];
    list[at]?.classList.remove("at");
    next.classList.add("at");
    next.scrollIntoView({ block: "nearest" });
    (first("a[href]", next) ?? next).focus({ preventScroll: true });
  };

  // ---- selecting: the bulk bar says how many, its buttons wait for the first
  const tellPicked = (form) => {
    const boxes = all("input[data-pick]", form);
    const picked = boxes.filter((box) => box.checked).length;
    for (const place of all("[data-picked]", form)) place.textContent = picked ? `${picked} selected` : "None selected";
    for (const button of all("button[data-bulk]", form)) button.disabled = !picked;
    const whole = first("input[data-pick-all]", form);
    if (whole) {
      whole.checked = picked > 0 && picked === boxes.length;
      whole.indeterminate = picked > 0 && picked < boxes.length;
    }
  };
  const tellAllPicked = () => all("form[data-picks]").forEach(tellPicked);
  document.addEventListener("change", ({ target }) => {
    const form = target.closest("form[data-picks]");
    if (!form) return;
    if (target.matches("[data-pick-all]")) for (const box of all("input[data-pick]", form)) box.checked = target.checked;
    tellPicked(form);
  });

  // ---- keys
  let pending = "";
  let forget = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      for (const menu of all("details.menu[open]")) menu.open = false;
      if (event.target.matches?.("#find")) event.target.blur();
      return;
    }
    if (typing(event.target) || first("dialog[open]")) return;
    const was = pending;
    pending = "";
    clearTimeout(forget);
    if (was === "g") {
      const link = first(`.side a[data-key="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); location.assign(link.href); }
      return;
    }
    switch (event.key) {
      case "/": event.preventDefault(); first("#find")?.select(); first("#find")?.focus(); break;
      case "g": pending = "g"; forget = setTimeout(() => { pending = ""; }, 1200); break;
      case "j": walk(1); break;
      case "k": walk(-1); break;
      case "x": {
        const box = first("tr.at input[data-pick]");
        if (box) { event.preventDefault(); box.click(); }
        break;
      }
      case "?": first("#help")?.showModal(); break;
    }
  });

  // ---- menus close by themselves; what only works with script shows itself
  document.addEventListener("click", (event) => {
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    if (event.target.closest("[data-back]") && history.length > 1) { event.preventDefault(); history.back(); }  // the form keeps what was typed
    const opener = event.target.closest("[data-opens]");
    if (opener) first(`#${opener.dataset.opens}`)?.showModal();
  });
  // A file may be dropped onto its form.
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const zone = event.target.closest?.("form[data-drop]");
      if (!zone) return;
      event.preventDefault();
      first(".drop", zone).classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) first("input[type=file]", zone).files = event.dataTransfer.files;
    });
  }
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
  addEventListener("pageshow", () => { for (const form of all("form[data-sent]")) delete form.dataset.sent; });

  const begin = () => {
    for (const hidden of all("[data-opens][hidden], [data-pick-all][hidden]")) hidden.hidden = false;
    tellTimes();
    tellAllPicked();
    const here = new URL(location);  // what was said after a form is said once, not at each reload
    if (here.searchParams.has("said")) {
      here.searchParams.delete("said");
      history.replaceState(null, "", here);
    }
    setInterval(tellTimes, 10000);
    document.addEventListener("htmx:after:swap", () => { tellTimes(); tellAllPicked(); });
  };
  begin();
})();
