"use strict";
// What a keyboard and a slider add. Every page does all of it without this file, by links, fields and buttons.
(() => {
  const OFF = "assaymark-keys-off";
  const kept = (() => { try { return window.localStorage; } catch (_error) { return null; } })();
  const areOff = () => kept !== null && kept.getItem(OFF) === "1";
  const busy = (element) => element instanceof Element && element.closest("input:not([type=checkbox]):not([type=range]), select, textarea, [contenteditable]");
  const rows = () => Array.from(document.querySelectorAll("[data-rows] tbody tr, [data-rows-as-list] > li"));
  let at = -1;
  let waitsForPlace = false;

  const move = (step) => {
    const all = rows();
    if (!all.length) { return; }
    if (all[at]) { all[at].classList.remove("at"); }
    at = Math.max(0, Math.min(all.length - 1, at + step));
    all[at].classList.add("at");
    const link = all[at].querySelector("[data-open]") || all[at].querySelector("a");
    if (link) { link.focus({ preventScroll: true }); }
    all[at].scrollIntoView({ block: "nearest" });
  };
  const choose = () => {
    const box = rows()[at] && rows()[at].querySelector("input[type=checkbox]");
    if (box) { box.checked = !box.checked; box.dispatchEvent(new Event("change", { bubbles: true })); }
  };
  const follow = (selector) => { const link = document.querySelector(selector); if (link) { link.click(); } };
  const actions = {
    j: () => move(1), k: () => move(-1), x: choose, o: () => { if (rows()[at]) { rows()[at].querySelector("a").click(); } },
    n: () => follow("a[rel=next]"), g: () => { waitsForPlace = true; window.setTimeout(() => { waitsForPlace = false; }, 1500); },
    "/": () => { const field = document.querySelector("[data-search]") || document.getElementById("find"); if (field) { field.focus(); field.select(); } },
    "?": () => { window.location.assign("/keys"); },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || areOff()) { return; }
    if (event.key === "Escape" && busy(document.activeElement)) { document.activeElement.blur(); return; }
    if (busy(event.target)) { return; }
    if (waitsForPlace) {
      waitsForPlace = false;
      const place = Array.from(document.querySelectorAll("[data-key]")).find((each) => each.dataset.key === event.key);
      if (place) { event.preventDefault(); place.click(); return; }
    }
    const act = actions[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  document.addEventListener("focusin", (event) => {
    const all = rows();
    const found = event.target instanceof Element ? all.indexOf(event.target.closest("tr, [data-rows-as-list] > li")) : -1;
    if (found >= 0 && found !== at) { if (all[at]) { all[at].classList.remove("at"); } at = found; all[at].classList.add("at"); }
  });

  // The page of keys can switch them off: who speaks to his machine, or hits keys by accident, is not to be sent anywhere.
  const keys = document.querySelector("[data-keys]");
  if (keys && kept) {
    keys.hidden = false;
    const box = keys.querySelector("input");
    box.checked = !areOff();
    box.addEventListener("change", () => { if (box.checked) { kept.removeItem(OFF); } else { kept.setItem(OFF, "1"); } });
  }

  // "As of" as a slider over days, beside the field that does the same.
  const DAY = 86400000;
  const slide = (field) => {
    const first = Date.parse(field.min), last = Date.parse(field.max);
    if (!(last > first)) { return; }
    const text = (days) => new Date(first + days * DAY).toISOString().slice(0, 10);
    const most = Math.round((last - first) / DAY);
    const label = document.createElement("label");
    label.className = "days";
    const said = document.createElement("span");
    const range = document.createElement("input");
    range.type = "range"; range.min = "0"; range.max = String(most); range.step = "1";
    range.value = String(field.value ? Math.round((Date.parse(field.value) - first) / DAY) : most);
    const say = () => {
      const days = Number(range.value);
      said.textContent = days === most ? "Today" : `As of ${text(days)}`;
      range.setAttribute("aria-valuetext", said.textContent);
    };
    label.append(said, range);
    field.closest("label").before(label);
    say();
    let soon = 0;
    range.addEventListener("input", () => {
      say();
      window.clearTimeout(soon);
      soon = window.setTimeout(() => {
        const days = Number(range.value);
        field.value = days === most ? "" : text(days);
        field.form.requestSubmit();
      }, 350);
    });
  };
  for (const field of document.querySelectorAll("[data-days]")) { slide(field); }

  // How many are chosen, and all of a page at once.
  const triage = document.getElementById("triage");
  if (triage) {
    const boxes = Array.from(document.querySelectorAll("input[form=triage][name^=row-]"));
    const said = triage.querySelector("[data-chosen]");
    const head = document.querySelector("[data-rows] thead th");
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", "Choose all of this page");
    if (head && boxes.length) { head.append(all); head.classList.add("pick"); }
    const count = () => {
      const many = boxes.filter((box) => box.checked).length;
      if (said) { said.textContent = many ? `${many} chosen` : "none chosen"; }
      all.checked = many === boxes.length; all.indeterminate = many > 0 && many < boxes.length;
    };
    all.addEventListener("change", () => { for (const box of boxes) { box.checked = all.checked; } count(); });
    for (const box of boxes) { box.addEventListener("change", count); }
    count();
  }
})();
