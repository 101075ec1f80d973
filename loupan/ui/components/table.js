// Draws the rows it is given and reports what is done with them; text goes into the page as text, never as markup.
const element = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const place = parentElement.querySelector(".place");
  const active = parentElement.activeElement ?? document.activeElement;
  const focused = place.contains(active) ? active.dataset.key : undefined;
  const table = element("table");
  table.append(element("caption", data.title));

  const head = element("tr");
  data.columns.forEach((column) => {
    const cell = element("th", undefined, { scope: "col", class: column.number ? "number" : "" });
    const isSorted = column.name !== "" && column.name === data.sort;
    if (column.name === "") {
      cell.textContent = column.title;
    } else {
      const mark = isSorted ? (data.descending ? " ↓" : " ↑") : "";
      const button = element("button", column.title + mark, {
        type: "button", title: `${data.sort_word}: ${column.title}`, "data-key": `sort:${column.name}`,
      });
      button.onclick = () => setTriggerValue("sort", column.name);
      cell.append(button);
      if (isSorted) cell.setAttribute("aria-sort", data.descending ? "descending" : "ascending");
    }
    head.append(cell);
  });
  const heads = element("thead");
  heads.append(head);
  table.append(heads);

  const body = element("tbody");
  data.rows.forEach((row, place_of_row) => {
    const line = element("tr", undefined, data.opens ? { class: "opens" } : {});
    const open = () => setTriggerValue("open", row.id);
    row.cells.forEach((value, index) => {
      const column = data.columns[index];
      const cell = element(index === 0 ? "th" : "td", undefined, {
        class: [column.number ? "number" : "", value.tone, value.text === "–" ? "none" : ""].join(" ").trim(), "data-title": column.title,
      });
      if (index === 0) cell.setAttribute("scope", "row");
      if (index === 0 && data.opens) {
        const button = element("button", value.text, {
          type: "button", title: data.open_word, "data-key": `row:${place_of_row}`,
        });
        cell.append(button);
      } else {
        cell.append(element("span", value.text));
      }
      line.append(cell);
    });
    if (data.opens) {
      line.onclick = () => { if (!window.getSelection()?.toString()) open(); };
      line.onkeydown = (event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        body.children[place_of_row + step]?.querySelector("button")?.focus();
      };
    }
    body.append(line);
  });
  table.append(body);
  place.replaceChildren(table);
  if (focused) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}
