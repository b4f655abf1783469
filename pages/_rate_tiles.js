// Several pictures, as large as their place lets them be without scrolling.

const TILE_GAP = 8; // px
const TILE_RIM = 5; // px around all of them: room for the frame of what is chosen

// Columns and size (px) of n equal tiles in a place of width x height. A tile is a picture of ratio = width : height
// with `foot` px below it; of equally large ones, the fewest columns.
const fitTiles = (n, ratio, width, height, foot) => {
  let best = { columns: 1, px: 0 };
  for (let columns = 1; columns <= n; columns += 1) {
    const lines = Math.ceil(n / columns);
    const across = (width - TILE_GAP * (columns - 1)) / columns;
    const down = ((height - TILE_GAP * (lines - 1)) / lines - foot) * ratio;
    const px = Math.floor(Math.min(across, down));
    if (px > best.px) best = { columns, px };
  }
  return best;
};

// One picture that can be pressed, with a line below it. `stage` is what the core made of the picture.
const tile = (hands, stage, title, act, foot) => {
  const figure = node("figure", "tile");
  const press = hands.button("", title, act);
  press.className = "press beside";
  press.setAttribute("aria-label", title);
  press.replaceChildren(stage);
  figure.append(press, foot);
  return Object.assign(figure, { press });
};

// Lays tiles out in `place` and keeps them as large as they fit while its size, or what stands in them, changes.
const layTiles = (place, tiles, name, laid = () => {}) => {
  const box = node("div", `tiles ${name}`);
  box.append(...tiles);
  place.append(box);
  const fit = () => {
    if (!box.isConnected) return;
    const image = box.querySelector(".stage img");
    const ratio = image?.naturalWidth ? image.naturalWidth / image.naturalHeight : 1;
    const photos = box.querySelector(".near") ? 2 : 1; // the nearest photo stands beside its picture
    const foot = Math.max(...tiles.map((one) => one.lastChild.offsetHeight));
    const [width, height] = [place.clientWidth - 2 * TILE_RIM, place.clientHeight - 2 * TILE_RIM];
    const { columns, px } = fitTiles(tiles.length, ratio * photos, width, height, foot);
    box.style.setProperty("--columns", columns);
    box.style.setProperty("--px", `${px}px`);
    box.style.setProperty("--ratio", ratio);
    laid(columns);
  };
  place.size?.disconnect(); // of the tiles before: it would keep their pictures in memory
  place.size = new ResizeObserver(fit);
  place.size.observe(place);
  new MutationObserver(fit).observe(box, { childList: true, subtree: true });
  for (const image of box.querySelectorAll(".stage img")) if (!image.naturalWidth) image.addEventListener("load", fit, { once: true });
  fit();
};

const PLACES = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];

// A button of something to say of all the pictures; after an undo it tells what was said before.
const sayButton = (hands, [said, text, key], before, act) => {
  const button = hands.button(text, "", () => act(said), key);
  if (said === before) { button.classList.add("before"); button.append(node("small", "", "said before")); }
  return button;
};
