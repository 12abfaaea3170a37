"use strict";
(() => {
  if (!window.uPlot) { return; }
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const kinds = { solid: "accent", known: "soft" };
  const made = [];
  const draw = (figure) => {
    const told = JSON.parse(figure.dataset.trend);
    const still = figure.querySelector("svg");
    const place = document.createElement("div");
    place.setAttribute("aria-hidden", "true");
    place.className = "live";
    figure.append(place);
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
    const series = told.lines.map((line) => {
      const stroke = colour(kinds[line.kind] || line.kind);
      return { label: line.name, stroke, width: 2, spanGaps: false, points: { show: false }, value: (_, v) => v === null ? "–" : `${v} ${told.unit}` };
    });
    const options = {
      width: still.clientWidth || 320, height: 190, series: [{ label: "Day", value: (_, v) => v ? new Date(v * 1000).toISOString().slice(0, 10) : "–" }, ...series],
      axes: [axis, { ...axis, size: 52 }], scales: { y: { range: (_, low, high) => [0, Math.max(high, 1)] } }, cursor: { y: false },
    };
    const data = [told.times, ...told.lines.map((line) => line.values)];
    figure.classList.add("drawn");
    made.push([place, new window.uPlot(options, data, place)]);
  };
  for (const figure of document.querySelectorAll("figure[data-trend]")) { draw(figure); }
  window.addEventListener("resize", () => {
    for (const [place, chart] of made) { chart.setSize({ width: place.clientWidth, height: 190 }); }
  });
})();
