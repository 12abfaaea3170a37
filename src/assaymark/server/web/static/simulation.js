"use strict";
(() => {
  const card = document.querySelector("[data-simulation]");
  if (!card) { return; }
  const phase = card.querySelector("#phase");
  const bar = card.querySelector("progress");
  const ask = async () => {
    try {
      const answer = await fetch(`/api/v1/policy-simulations/${card.dataset.simulation}`);
      const told = await answer.json();
      if (!answer.ok || !["waiting", "running"].includes(told.state)) { window.location.reload(); return; }
      if (told.total) {
        phase.textContent = `${told.done} of ${told.total} verdicts`;
        bar.max = told.total;
        bar.value = told.done;
      }
    } catch { /* asked again below */ }
    window.setTimeout(ask, 1000);
  };
  window.setTimeout(ask, 500);
})();
