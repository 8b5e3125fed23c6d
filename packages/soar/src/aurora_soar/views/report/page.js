"use strict";
// For convenience alone: without it everything can still be read and reached.
(() => {
  const $ = (selector) => document.querySelector(selector);
  const rows = [...document.querySelectorAll("#subgoals tbody tr")].map((row) => ({
    row,
    outcome: row.dataset.outcome,
    words: [...row.cells].slice(0, 4).map((cell) => cell.textContent).join(" ").toLowerCase(),
  }));
  const words = $("#filter");
  const outcome = $("#outcome");
  const shown = $("#shown");

  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const each of rows) {
      const fits = (!outcome.value || each.outcome === outcome.value)
        && wanted.every((word) => each.words.includes(word));
      each.row.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count} of ${rows.length} shown`;
  };
  words.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  filter();

  // A link into the table must not lead to a row that is filtered out.
  addEventListener("hashchange", () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.hidden) {
      words.value = outcome.value = "";
      filter();
      target.scrollIntoView();
    }
  });

  const answers = [...document.querySelectorAll("#subgoals details")];
  $("#unfold").addEventListener("click", (event) => {
    const open = !answers.some((each) => each.open);
    for (const each of answers) each.open = open;
    event.target.setAttribute("aria-pressed", open);
  });

  const field = $("#field");
  const level = $("#level");
  let zoom = 1;
  const scale = (factor) => {
    const next = factor ? Math.min(Math.max(zoom * factor, 1), 64) : 1;
    const middle = (field.scrollLeft + field.clientWidth / 2) / zoom;
    zoom = next;
    field.style.setProperty("--zoom", zoom);
    field.scrollLeft = middle * zoom - field.clientWidth / 2;
    level.textContent = `${zoom}×`;
  };
  $("#closer").addEventListener("click", () => scale(2));
  $("#further").addEventListener("click", () => scale(0.5));
  $("#whole").addEventListener("click", () => scale(0));

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = {
      "/": () => words.focus(),
      "+": () => scale(2),
      "-": () => scale(0.5),
      "0": () => scale(0),
    }[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });
  for (const each of document.querySelectorAll(".tools")) each.hidden = false;
})();
