"use strict";
(() => {
  const card = document.querySelector("[data-assessment]");
  if (!card || !window.EventSource) { return; }
  const phase = card.querySelector("#phase");
  const bar = card.querySelector("progress");
  const source = new EventSource(`/api/v1/assessments/${card.dataset.assessment}/events`);
  const over = new Set(["pass", "fail", "unproven", "superseded", "cancelled"]);
  const hear = (event) => {
    const told = JSON.parse(event.data);
    if (over.has(told.state)) { source.close(); window.location.reload(); return; }
    const done = told.progress;
    if (done && done.phase) {
      phase.textContent = done.total ? `${done.phase}, ${done.done} of ${done.total}` : done.phase;
      if (done.total) { bar.max = done.total; bar.value = done.done; }
    }
  };
  for (const kind of ["message", "state", "progress"]) { source.addEventListener(kind, hear); }
  source.addEventListener("error", () => { source.close(); window.setTimeout(() => window.location.reload(), 2000); });
})();
