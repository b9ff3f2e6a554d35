// Sends a large file in pieces: shows how far it is, and goes on where it broke off, after a restart of the hub or the browser too.
"use strict";

(() => {
  const PIECE = 8 * 1024 * 1024;
  const LONGEST_WAIT = 30;
  const pause = (seconds) => new Promise((go) => { setTimeout(go, seconds * 1000); });
  const size = (bytes) => bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

  class Refusal extends Error {}  // said by the hub: trying again does not help

  const call = async (form, address, options = {}) => {
    const token = form.elements.csrf.value;
    const answer = await fetch(address, { ...options, headers: { Accept: "application/json", "X-Csrf": token, ...options.headers } });
    if (answer.redirected) throw new Refusal("You are signed out. Sign in again and choose the same file: it goes on where it stopped.");
    if (answer.ok) return answer.status === 204 ? {} : answer.json();
    if (answer.status === 409 || answer.status === 404) return { status: answer.status };
    if (answer.status >= 500) throw new Error(`the hub answered ${answer.status}`);
    const told = await answer.json().catch(() => null);
    throw new Refusal(told?.error?.message ?? `The hub answered ${answer.status}; nothing of the file was taken in.`);
  };

  const tell = (form, done, total, words) => {
    const place = form.querySelector("[data-progress]");
    place.hidden = false;
    const bar = place.querySelector("progress");
    bar.max = total;
    bar.value = done;
    place.querySelector("span").textContent = words;
  };

  const begun = async (form, file, remembered) => {
    const known = localStorage.getItem(remembered);
    const there = known ? await call(form, `${form.dataset.pieces}/${known}`) : { status: 404 };
    if (there.status !== 404 && there.size === file.size && there.run_id === null) return there;
    const body = JSON.stringify({ name: file.name, size: file.size });
    const made = await call(form, form.dataset.pieces, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    if (made.status) throw new Refusal("This feed is not there any more.");
    localStorage.setItem(remembered, made.id);
    return made;
  };

  const send = async (form, file) => {
    const remembered = `upload ${form.dataset.pieces} ${file.name} ${file.size} ${file.lastModified}`;
    let wait = 1;
    for (;;) {
      try {
        let there = await begun(form, file, remembered);
        const address = `${form.dataset.pieces}/${there.id}`;
        while (there.received < file.size) {
          tell(form, there.received, file.size, `${size(there.received)} of ${size(file.size)}`);
          const body = file.slice(there.received, there.received + PIECE);
          const headers = { "Content-Type": "application/octet-stream", "Upload-Offset": String(there.received) };
          const taken = await call(form, `${address}/file`, { method: "PATCH", body, headers });
          if (taken.status) throw new Error("another part of the file is there already");
          there = { ...there, ...taken };
          wait = 1;
        }
        tell(form, file.size, file.size, "All is there; the run is being made.");
        const made = await call(form, `${address}/finish`, { method: "POST" });
        if (made.status) throw new Error("not everything is there yet");
        localStorage.removeItem(remembered);
        location.assign(made.address);
        return;
      } catch (error) {
        if (error instanceof Refusal) throw error;
        const bar = form.querySelector("[data-progress] progress");
        for (let left = wait; left > 0; left -= 1) {
          const why = error instanceof TypeError ? "the connection was lost" : error.message;  // fetch has no words of its own
          tell(form, bar.value, file.size, `Broken off: ${why}. Going on in ${left} s.`);
          await pause(1);
        }
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-pieces]");
    const file = form?.querySelector("input[type=file]").files[0];
    if (!file || !file.size) return;  // the plain form says what is wrong with it
    event.preventDefault();
    if (form.dataset.sending) return;
    form.dataset.sending = "1";
    const button = form.querySelector("button");
    button.disabled = true;
    tell(form, 0, file.size, "Beginning …");
    send(form, file).catch((error) => {
      tell(form, 0, file.size, error.message);
      delete form.dataset.sending;
      button.disabled = false;
    });
  }, { capture: true });
})();
