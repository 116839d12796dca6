// Searches a long list and turns its pages: `.list` holds `.entry` elements, and is whole without this script.
"use strict";
const SIZE = 10;
const list = document.querySelector(".list");
const at = (name) => list.querySelector(`[name=${name}]`);
const entries = [...list.querySelectorAll(".entry")];
const texts = entries.map((entry) => entry.textContent.toLowerCase());
let first = 0;
function show() {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const kind = at("kind").value;
  const found = entries.filter((entry, number) =>
    (!kind || entry.dataset.kind === kind) && words.every((word) => texts[number].includes(word)));
  first = Math.max(0, Math.min(first, SIZE * Math.floor((found.length - 1) / SIZE)));
  const page = new Set(found.slice(first, first + SIZE));
  for (const entry of entries) entry.hidden = !page.has(entry);
  list.querySelector("[role=status]").textContent = found.length
    ? `${first + 1} to ${first + page.size} of ${found.length}` : "Nothing holds all of these words.";
  at("previous").disabled = first === 0;
  at("next").disabled = first + SIZE >= found.length;
}
function turn(pages) { first += pages * SIZE; show(); }
function anew() { first = 0; show(); }
at("search").addEventListener("input", anew);
at("kind").addEventListener("change", anew);
at("previous").addEventListener("click", () => turn(-1));
at("next").addEventListener("click", () => turn(1));
list.querySelector(".controls").hidden = false;
show();
