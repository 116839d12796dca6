// Tells the values of a chart's lines at a step: under the pointer, or by arrow keys, Home and End.
"use strict";
function mark(name, attributes, into) {
  const made = document.createElementNS(into.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  into.append(made);
}
for (const svg of document.querySelectorAll("figure svg:has(polyline[data-values])")) {
  const lines = [...svg.querySelectorAll("polyline[data-values]")].map((line) => ({
    name: line.dataset.name, color: line.getAttribute("class").split(" ")[1],
    at: line.dataset.at.split(" ").map(Number), values: line.dataset.values.split(" "),
    places: line.getAttribute("points").split(" ").map((place) => place.split(",").map(Number)),
  }));
  const where = new Map(lines.flatMap((line) => line.at.map((step, number) => [step, line.places[number][0]])));
  const steps = [...where.keys()].sort((a, b) => a - b);
  const read = document.createElement("p"), marks = document.createElementNS(svg.namespaceURI, "g");
  const [, , , high] = svg.getAttribute("viewBox").split(" ").map(Number);
  let now = -1;
  read.className = "read soft";
  read.setAttribute("role", "status");
  if (!document.querySelector(".read")) read.textContent = "Point at a chart, or press arrow keys in it, to read values.";
  svg.after(read);
  svg.append(marks);
  svg.tabIndex = 0;
  function show(number) {
    now = Math.max(0, Math.min(steps.length - 1, number));
    const step = steps[now];
    marks.replaceChildren();
    read.replaceChildren(`${svg.querySelector(".axis").textContent} ${step.toLocaleString("en")}: `);
    mark("line", { class: "at", x1: where.get(step), x2: where.get(step), y1: 12, y2: high - 40 }, marks);
    for (const line of lines) {
      const found = line.at.indexOf(step);
      if (found < 0) continue;
      const [x, y] = line.places[found], said = document.createElement("span");
      mark("circle", { class: `near ${line.color}`, cx: x, cy: y, r: 5 }, marks);
      said.className = `key ${line.color}`;
      said.textContent = `${line.name} ${line.values[found]}`;
      if (read.lastElementChild) read.append(", ");
      read.append(said);
    }
  }
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
    const far = (step) => Math.abs(where.get(step) - x);
    show(steps.reduce((best, step, number) => far(step) < far(steps[best]) ? number : best, 0));
  });
  svg.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: Math.max(0, now - 1), ArrowRight: now + 1, Home: 0, End: steps.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
}
