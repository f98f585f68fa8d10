"use strict";
// A tenant is an element with `data-row`: a row, or a body with several rows. The control `by-NAME` goes by `data-NAME`.
const rows = [...document.querySelectorAll("#rows [data-row]")];
const texts = rows.map((row) => row.textContent.toLowerCase());
const field = (id) => document.getElementById(id);
const selects = [...document.querySelectorAll(".filters select")];

function has(row, select) {
  const name = select.id.slice("by-".length);
  return [row, ...row.querySelectorAll(`[data-${name}]`)].some((part) => part.dataset[name] === select.value);
}

function filter() {
  const words = field("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = selects.filter((select) => select.value);
  let shown = 0;
  rows.forEach((row, index) => {
    const fits = words.every((word) => texts[index].includes(word)) && chosen.every((select) => has(row, select));
    row.hidden = !fits;
    shown += fits;
  });
  field("shown").textContent = `${shown} of ${rows.length} shown`;
}

function sort(head, column) {
  const descending = head.getAttribute("aria-sort") === "ascending";
  document.querySelectorAll("#rows [aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const key = new Map(rows.map((row) => [row, (row.cells ?? row.rows[0].cells)[column].textContent]));
  const compare = (a, b) => {
    // A row without a value comes last in both directions.
    if (!key.get(a) || !key.get(b)) return !key.get(a) - !key.get(b);
    const order = key.get(a).localeCompare(key.get(b), undefined, { numeric: true });
    return descending ? -order : order;
  };
  rows[0]?.parentNode.append(...[...rows].sort(compare));
}

document.querySelectorAll("#rows thead th").forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  button.addEventListener("click", () => sort(head, column));
  head.replaceChildren(button);
});
document.querySelectorAll("button.live").forEach((button) => {
  button.addEventListener("click", () => {
    const [[name, value]] = Object.entries(button.dataset);
    field(`by-${name}`).value = value;
    filter();
    field("tenants").scrollIntoView();
    field("tenants").focus();
  });
});
[field("search"), ...selects].forEach((input) => ["input", "change"].forEach((event) => input.addEventListener(event, filter)));
document.querySelectorAll(".live").forEach((part) => { part.hidden = false; });
filter();
