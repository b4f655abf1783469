// One element for hundreds of pictures: rows of tiles under shared column heads. A click names the tile's token.
// Texts come from people (captions, labels), so they go in as text, never as HTML.

const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text) node.textContent = text;
  return node;
};

const headCell = (row) => {
  const cell = make("div", "head");
  cell.append(make("div", "label", row.head), make("div", "sub", row.sub));
  if (row.badge) cell.append(make("div", "badge", row.badge));
  cell.title = [row.head, row.sub, row.badge].filter(Boolean).join("\n");
  return cell;
};

const tileCell = (tile, pick) => {
  if (!tile) return make("div", "gap");
  if (tile.waits) {
    const cell = make("div", "tile waits");
    cell.append(make("div", "stage", "waits to be rated"));
    return cell;
  }
  const cell = make(tile.id ? "button" : "div", "tile");
  const stage = make("div", "stage");
  const image = make("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.src = tile.src;
  image.alt = tile.alt;
  stage.append(image);
  cell.append(stage, make("div", tile.warn ? "note warn" : "note", tile.note || "\u00a0"));
  cell.title = tile.alt;
  if (tile.id) cell.onclick = () => pick(tile.id);
  return cell;
};

const AT_ONCE = 12; // rows that stand before the first paint; the window shows fewer

const rowCells = (row, columns, pick) => {
  const cells = [headCell(row)];
  for (const tile of row.tiles) cells.push(tileCell(tile, pick));
  for (let i = row.tiles.length; i < columns; i += 1) cells.push(make("div", "gap"));
  return cells;
};

const topCells = (data) => {
  if (!data.columns.some((column) => column.text)) return [];
  const cells = [make("div", "corner", data.corner)];
  for (const column of data.columns) {
    const cell = make("div", "top");
    cell.append(make("div", "text", column.text), make("div", "sub", column.sub));
    cell.title = column.text;
    cells.push(cell);
  }
  return cells;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".grid");
  const seen = JSON.stringify(data);
  if (root.seen === seen) return; // a rerun without news must not move the scroll position
  root.seen = seen;
  root.style.setProperty("--px", `${data.px}px`);
  root.style.setProperty("--columns", data.columns.length);
  root.style.maxHeight = data.height ? `${data.height}px` : "none";
  if (data.zoom && !root.zoom) {
    root.zoom = zoomable(root);
    root.before(zoomBar(root.zoom));
  }
  const pick = (token) => setTriggerValue("picked", token);
  const cells = (rows) => rows.flatMap((row) => rowCells(row, data.columns.length, pick));
  root.replaceChildren(...topCells(data), ...cells(data.rows.slice(0, AT_ONCE)));
  const rest = (from) => requestAnimationFrame(() => { // the others a frame's worth at a time
    if (root.seen !== seen || from >= data.rows.length) return;
    root.append(...cells(data.rows.slice(from, from + AT_ONCE)));
    rest(from + AT_ONCE);
  });
  rest(AT_ONCE);
}
