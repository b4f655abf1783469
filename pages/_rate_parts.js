// Parts of the rating component that every way of asking uses: buttons, sliders, pictures fetched ahead.

const FINE = 0.5; // points: a key's marks lie on it
const NEARLY = 0.92; // of the size of a tile: not worth a row of one picture
const DECODED = 8000; // ms: a picture that isn't decoded by then is shown all the same, or can be skipped
const SOON = 250; // ms: a click this early was meant for the picture before

const node = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined && text !== "") made.textContent = text;
  return made;
};
const figure = (value) => String(Math.round(value * 10) / 10);

// The digit 1 to 9 of a key, else NaN. Where the top row types something else (AZERTY, or with Shift) its place counts.
const digitOf = (event) => (/^[1-9]$/.test(event.key) ? Number(event.key) : Number(/^Digit([1-9])$/.exec(event.code)?.[1] ?? NaN));

// A button with its key on it; `key` may be empty.
const keyed = (text, key, title, act) => {
  const button = node("button", "key");
  button.type = "button";
  button.title = title;
  button.append(node("span", "", text));
  if (key) { const cap = node("kbd", "", key); cap.setAttribute("aria-hidden", "true"); button.append(cap); }
  button.addEventListener("click", (event) => {
    if (event.detail) button.blur(); // clicked, not pressed by a key: space is for the picture again
    act(event);
  });
  return button;
};

// A slider from 0 to 100 that says "not set" until it is moved. `set(value)` moves it from outside.
const slider = (axis, words, value, onChange) => {
  const box = node("div", "slider unset");
  const head = node("div", "slider-head");
  const much = node("output", "much", "not set");
  head.append(node("span", "axis", words.label), much);
  const input = node("input");
  Object.assign(input, { type: "range", min: 0, max: 100, step: FINE, value: 50 });
  input.dataset.what = `slider ${axis}`;
  input.setAttribute("aria-label", `${words.label}: ${words.anchors.join(", ")}`);
  input.setAttribute("aria-valuetext", "not set");
  const anchors = node("div", "anchors");
  anchors.append(...words.anchors.map((text) => node("span", "", text)));
  const set = (mark) => {
    box.classList.remove("unset");
    input.value = mark;
    box.style.setProperty("--at", `${mark}%`);
    much.textContent = figure(mark);
    input.setAttribute("aria-valuetext", figure(mark));
  };
  const moved = () => { const mark = Number(input.value); set(mark); onChange(mark); };
  input.addEventListener("input", moved);
  input.addEventListener("click", () => { if (box.classList.contains("unset")) moved(); }); // just where it stood
  box.append(head, input, anchors);
  if (value !== undefined && value !== null) set(value);
  return Object.assign(box, { set, input });
};

// Pictures of the next items, fetched and decoded before they are asked for.
const ahead = () => {
  const known = new Map(); // src -> { image, done: promise, ready, failed }
  const fetchOne = (src) => {
    if (known.has(src) && !known.get(src).failed) return known.get(src);
    const image = new Image();
    const entry = { image, ready: false, failed: false };
    image.src = src;
    const here = () => { entry.failed = !image.complete || !image.naturalWidth; };
    const late = new Promise((go) => { setTimeout(go, DECODED); }).then(() => { if (!entry.ready) here(); });
    entry.done = Promise.race([image.decode().catch(here), late]).then(() => { entry.ready = true; });
    known.set(src, entry);
    return entry;
  };
  return {
    fetch: fetchOne,
    keep: (sources) => {
      for (const src of sources) fetchOne(src);
      const wanted = new Set(sources);
      for (const src of known.keys()) if (!wanted.has(src)) known.delete(src);
    },
  };
};

// As many equal squares as there are pictures, as large as fit: px of a side. Of nearly the same size, the fewest rows.
const tileSize = (count, width, height, gap) => {
  const sides = Array.from({ length: count }, (_, n) => {
    const columns = n + 1, rows = Math.ceil(count / columns);
    return Math.min((width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows);
  });
  return Math.floor(sides.findLast((side) => side >= NEARLY * Math.max(...sides)) ?? 0);
};

// Enlarge a face so that it fills its stage; `face` in shares of the picture, null = back to the whole picture.
const closeUp = (stage, image, face) => {
  for (const name of ["--zoom", "--zoom-x", "--zoom-y"]) stage.style.removeProperty(name);
  if (!face) return;
  const box = stage.getBoundingClientRect();
  const fit = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
  const wide = image.naturalWidth * fit / box.width, high = image.naturalHeight * fit / box.height; // shares of the stage
  const at = (share, part) => (1 - part) / 2 + share * part;
  const [x0, x1] = [at(face[0], wide), at(face[2], wide)], [y0, y1] = [at(face[1], high), at(face[3], high)];
  const side = Math.min(1, 1.35 * Math.max(x1 - x0, y1 - y0)); // with some room around
  const corner = (middle) => Math.min(Math.max(middle - side / 2, 0), 1 - side);
  const scale = 1 / side;
  stage.style.setProperty("--zoom", scale);
  stage.style.setProperty("--zoom-x", `${-100 * scale * corner((x0 + x1) / 2)}%`);
  stage.style.setProperty("--zoom-y", `${-100 * scale * corner((y0 + y1) / 2)}%`);
};
