"use strict";
const rows = [...document.querySelectorAll("#rows tbody tr")];
const texts = rows.map((row) => row.textContent.toLowerCase());
const field = (id) => document.getElementById(id);
const fields = ["search", "by-verdict", "by-finding", "by-class"].map(field);

function filter() {
  const [search, verdict, finding, group] = fields.map((input) => input.value);
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  rows.forEach((row, index) => {
    const fits = words.every((word) => texts[index].includes(word))
      && (!verdict || row.dataset.verdict === verdict)
      && (!group || row.dataset.class === group)
      && (!finding || [...row.querySelectorAll("[data-finding]")].some((found) => found.dataset.finding === finding));
    row.hidden = !fits;
    shown += fits;
  });
  field("shown").textContent = `${shown} of ${rows.length} shown`;
}

function sort(head, column) {
  const descending = head.getAttribute("aria-sort") === "ascending";
  document.querySelectorAll("#rows [aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const key = new Map(rows.map((row) => [row, row.cells[column].textContent]));
  const compare = (a, b) => {
    // A row without a value comes last in both directions.
    if (!key.get(a) || !key.get(b)) return !key.get(a) - !key.get(b);
    const order = key.get(a).localeCompare(key.get(b), undefined, { numeric: true });
    return descending ? -order : order;
  };
  document.querySelector("#rows tbody").append(...[...rows].sort(compare));
}

document.querySelectorAll("#rows thead th").forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  button.addEventListener("click", () => sort(head, column));
  head.replaceChildren(button);
});
document.querySelectorAll("button[data-class]").forEach((button) => {
  button.addEventListener("click", () => {
    field("by-class").value = button.dataset.class;
    filter();
    field("tenants").scrollIntoView();
    field("tenants").focus();
  });
});
fields.forEach((input) => ["input", "change"].forEach((event) => input.addEventListener(event, filter)));
document.querySelectorAll(".live").forEach((part) => { part.hidden = false; });
filter();
