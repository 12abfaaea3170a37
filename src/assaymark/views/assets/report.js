"use strict";
(() => {
  const filter = document.querySelector(".filter");
  const items = Array.from(document.querySelectorAll("[data-severity]"));
  const groups = Array.from(document.querySelectorAll("[data-group]"));
  const reopened = [];
  window.addEventListener("beforeprint", () => {
    for (const closed of document.querySelectorAll("details.finding:not([open])")) { closed.open = true; reopened.push(closed); }
  });
  window.addEventListener("afterprint", () => { for (const opened of reopened.splice(0)) { opened.open = false; } });
  if (!filter || items.length < 2) { return; }
  const severity = filter.querySelector("#by-severity");
  const state = filter.querySelector("#by-state");
  const words = filter.querySelector("#by-words");
  const said = filter.querySelector("output");
  const apply = () => {
    const wanted = words.value.trim().toLowerCase();
    let shown = 0;
    for (const item of items) {
      const data = item.dataset;
      const fits = (!severity.value || data.severity === severity.value) && (!state.value || data.state === state.value)
        && (!wanted || item.textContent.toLowerCase().includes(wanted) || (data.words || "").toLowerCase().includes(wanted));
      item.hidden = !fits;
      if (fits) { shown += 1; }
    }
    for (const group of groups) { group.hidden = !group.querySelector("[data-severity]:not([hidden])"); }
    said.textContent = `${shown} of ${items.length} findings`;
  };
  filter.hidden = false;
  filter.addEventListener("input", apply);
  apply();
})();
