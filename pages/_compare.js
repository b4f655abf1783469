// Two checkpoints on the same cells: beside each other, in turns, or as what differs. Texts go in as text, never as HTML.

const TURN_MS = 250; // A, B, A, B: back and forth twice a second, under the 3 a second that can harm
const GAINS = [1, 2, 4, 8];
const MODES = [
  ["beside", "1  Side by side"],
  ["turns", "2  In turns"],
  ["differ", "3  A against B"],
  ["base", "4  Against the base row"],
];
const STOPS = [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]]; // dark = the same (magma)

const element = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text) node.textContent = text;
  return node;
};

const picture = (side, name) => {
  const stage = element("div", "stage");
  if (!side.src) {
    stage.classList.add("none");
    stage.textContent = side.waits ? "waits to be rated" : "not made";
    return stage;
  }
  const image = element("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.src = side.src;
  image.alt = name;
  stage.append(image);
  return stage;
};

const colour = (level) => { // 0 to 255
  const place = (Math.min(level, 255) / 255) * (STOPS.length - 1);
  const from = STOPS[Math.min(Math.floor(place), STOPS.length - 2)], to = STOPS[Math.min(Math.floor(place) + 1, STOPS.length - 1)];
  const share = place - Math.min(Math.floor(place), STOPS.length - 2);
  return from.map((value, i) => value + (to[i] - value) * share);
};
const COLOURS = Array.from({ length: 256 }, (_, level) => colour(level));

const loaded = async (src) => {
  const image = new Image();
  image.src = src;
  await image.decode();
  return image;
};

// |one - other|, the largest of the three colours, times the gain, as a colour of the legend.
const difference = async (canvas, one, other, gain) => {
  const [a, b] = await Promise.all([loaded(one.full), loaded(other.full)]);
  const width = Math.min(a.naturalWidth, b.naturalWidth), height = Math.min(a.naturalHeight, b.naturalHeight);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pixels = (image) => { context.drawImage(image, 0, 0, width, height); return context.getImageData(0, 0, width, height); };
  const first = pixels(a), second = pixels(b);
  let sum = 0;
  for (let i = 0; i < first.data.length; i += 4) {
    const apart = Math.max(...[0, 1, 2].map((j) => Math.abs(first.data[i + j] - second.data[i + j])));
    sum += apart;
    const shade = COLOURS[Math.min(255, Math.round(apart * gain))];
    for (const j of [0, 1, 2]) second.data[i + j] = shade[j];
  }
  context.putImageData(second, 0, 0);
  return sum / (width * height);
};

const differing = (one, other, gain, seen, what) => {
  if (!one.src || !other.src) return [picture(one.src ? other : one, ""), ""];
  const stage = element("div", "stage");
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", what);
  stage.append(canvas);
  const note = element("div", "note", "\u00a0");
  stage.draw = () => difference(canvas, one, other, gain)
    .then((mean) => { note.textContent = `mean ${mean.toFixed(1)} of 255`; })
    .catch(() => { note.textContent = "a picture is missing"; });
  seen.observe(stage);
  return [stage, note];
};

const legend = (gain) => {
  const box = element("div", "legend");
  const bar = element("span", "ramp");
  bar.style.background = `linear-gradient(90deg, ${STOPS.map((stop) => `rgb(${stop})`).join(", ")})`;
  box.append("the same", bar, `${Math.round(255 / gain)} of 255 grey levels apart, or more`);
  return box;
};

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".compare");
  const seen = JSON.stringify(data);
  if (root.seen === seen) return;
  root.seen = seen;
  root.stop?.();
  const state = (root.state ??= { mode: "beside", gain: 4, second: false });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let timer = 0;

  const bar = element("div", "modes"), body = element("div", "pairs"), told = element("div", "told");
  told.setAttribute("aria-live", "polite");
  root.zoom ??= zoomable(root);
  root.bar ??= zoomBar(root.zoom);
  root.replaceChildren(bar, root.bar, told, body);
  root.style.setProperty("--px", `${data.px}px`);
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { watch.unobserve(entry.target); entry.target.draw(); }
  }, { rootMargin: "300px" });

  const show = (second) => {
    state.second = second;
    root.classList.toggle("second", second);
    if (state.mode !== "turns") return;
    told.replaceChildren(element("b", second ? "b" : "a", second ? `B  ${data.b}` : `A  ${data.a}`));
  };
  const still = () => { clearInterval(timer); timer = 0; };
  root.stop = () => { still(); watch.disconnect(); };
  const flicker = () => {
    if (timer) still();
    else if (!calm) timer = setInterval(() => { if (root.isConnected) show(!state.second); else still(); }, TURN_MS);
    buttons();
  };
  const swap = () => { still(); show(!state.second); buttons(); };

  const buttons = () => {
    const had = root.getRootNode().activeElement?.dataset?.what;
    bar.replaceChildren();
    const add = (what, text, title, act, pressed) => {
      const button = pressable(text, title, act);
      button.dataset.what = what;
      if (pressed !== undefined) button.setAttribute("aria-pressed", pressed);
      bar.append(button);
      return button;
    };
    for (const [mode, text] of MODES) add(mode, text, `Key ${text[0]}`, () => choose(mode), state.mode === mode);
    if (state.mode === "turns") {
      add("swap", "Swap (space)", "Show the other one (space)", swap);
      const start = add("flicker", timer ? "Stop (F)" : "Flicker, 2 a second (F)", "Show them in turns by itself (key F)", flicker, Boolean(timer));
      if (calm) { start.disabled = true; start.title = "Your system asks for little motion: swap by hand."; }
    }
    if (state.mode === "differ" || state.mode === "base") {
      for (const gain of GAINS) add(`gain${gain}`, `× ${gain}`, `Amplify the difference ${gain} times`, () => { state.gain = gain; render(); }, state.gain === gain);
    }
    if (had) bar.querySelector(`[data-what="${had}"]`)?.focus();
  };

  const stages = (pair) => {
    const noted = (stage, letter, note) => { const box = element("div", "side"); box.append(stage, element("div", "note", [letter, note].filter(Boolean).join("  ") || "\u00a0")); return box; };
    const drawn = (one, other, letter, what) => {
      const [stage, note] = differing(one, other, state.gain, watch, what);
      const box = element("div", "side");
      box.append(stage);
      if (letter) box.append(element("div", "note", letter));
      if (note) box.append(note);
      return box;
    };
    if (state.mode === "beside") return [noted(picture(pair.a, data.a), "A", pair.a.note), noted(picture(pair.b, data.b), "B", pair.b.note)];
    if (state.mode === "differ") return [drawn(pair.a, pair.b, "", `difference of ${data.a} and ${data.b}`)];
    if (state.mode === "base") {
      return [drawn(pair.a, pair.base_a, "A − base row", `difference of ${data.a} and the base row`), drawn(pair.b, pair.base_b, "B − base row", `difference of ${data.b} and the base row`)];
    }
    const box = element("div", "side both");
    const first = picture(pair.a, data.a), second = picture(pair.b, data.b);
    first.classList.add("first");
    second.classList.add("other");
    box.append(first, second, element("div", "note", [pair.a.note && `A ${pair.a.note}`, pair.b.note && `B ${pair.b.note}`].filter(Boolean).join(", ") || "\u00a0"));
    return [box];
  };
  const render = () => {
    still();
    watch.disconnect();
    told.replaceChildren();
    if (state.mode === "beside") told.append(element("b", "a", `A  ${data.a}`), element("b", "b", `B  ${data.b}`));
    if (state.mode === "differ") told.append(element("b", "", `${data.a}  against  ${data.b}`), legend(state.gain));
    if (state.mode === "base") told.append(element("b", "a", `A  ${data.a}`), element("b", "b", `B  ${data.b}`), legend(state.gain));
    body.className = `pairs ${state.mode}`;
    body.replaceChildren(...data.pairs.map((pair) => {
      const figure = element("figure");
      const words = element("figcaption");
      words.append(element("div", "text", pair.text), element("div", "sub", pair.sub));
      words.title = pair.text;
      const row = element("div", "sides");
      row.append(...stages(pair));
      figure.append(words, row);
      return figure;
    }));
    show(false);
    buttons();
  };
  const choose = (mode) => { state.mode = mode; render(); };

  root.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const mode = MODES[Number(event.key) - 1];
    if (mode && event.key !== "0") choose(mode[0]);
    else if (state.mode === "turns" && event.key === " ") swap();
    else if (state.mode === "turns" && event.key.toLowerCase() === "f") flicker();
    else return;
    event.preventDefault();
    if (!root.contains(root.getRootNode().activeElement)) root.focus();
  };
  render();
  return () => root.stop();
}
