"use strict";
const number = (text) => (text === "" ? NaN : Number(text));

function sortBy(button) {
  const head = button.closest("th");
  const table = head.closest("table");
  const column = [...head.parentNode.children].indexOf(head);
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("thead th[aria-sort]")) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const value = (row) => row.children[column].dataset.value ?? row.children[column].textContent.trim();
  const compare = (first, second) => {
    const [a, b] = [value(first), value(second)];
    const [x, y] = [number(a), number(b)];
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
    return down ? -order : order;
  };
  body.append(...[...body.rows].sort(compare));
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.copy) {
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
      button.textContent = "selected: press Ctrl+C";
    }
  } else if (button.closest("th[aria-sort]")) {
    sortBy(button);
  }
});

document.addEventListener("change", (event) => {
  if (event.target.name !== "only") return;
  const section = document.getElementById("methods");
  const kind = event.target.value;
  if (kind) section.dataset.only = kind;
  else delete section.dataset.only;
  for (const figure of section.querySelectorAll("figure[data-kind]")) {
    figure.hidden = kind !== "" && figure.dataset.kind !== kind;
  }
});

window.addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
