// Zoom in one picture, see all of them at the same place: for every `.stage` under a root.
// Ctrl, Cmd or Alt + wheel and pinch always zoom; the plain wheel does where the bar says so; drag moves.

const MOST = 16; // times
const STEP = 1.25;

const zoomable = (root) => {
  let scale = 1, left = 0, top = 0; // left, top: the corner of what is shown, in shares of the picture
  let onWheel = false, moved = false, sharpenLater = 0;
  const fingers = new Map(); // pointer id -> last place, while it is down on a stage
  const listeners = new Set();

  const clamp = (value) => Math.min(Math.max(value, 0), 1 - 1 / scale);
  const apply = () => {
    left = clamp(left);
    top = clamp(top);
    root.style.setProperty("--zoom", scale);
    root.style.setProperty("--zoom-x", `${-100 * left * scale}%`);
    root.style.setProperty("--zoom-y", `${-100 * top * scale}%`);
    root.classList.toggle("zoomed", scale > 1);
    clearTimeout(sharpenLater);
    if (scale > 1) sharpenLater = setTimeout(sharpen, 200);
    for (const tell of listeners) tell(scale);
  };
  // A thumbnail is enough until it is enlarged: then the pictures in the window are fetched as they were rendered.
  const sharpen = () => {
    for (const image of root.querySelectorAll(".stage img:not([data-sharp])")) {
      const box = image.parentElement.getBoundingClientRect();
      if (!image.src.endsWith(".webp") || box.bottom < 0 || box.top > innerHeight) continue;
      if (image.naturalWidth >= box.width * scale) continue;
      image.dataset.sharp = "yes";
      const whole = new Image();
      whole.onload = () => { if (whole.naturalWidth > image.naturalWidth) image.src = whole.src; };
      whole.src = image.src.replace(/\.webp$/, ".png");
    }
  };
  const zoomAt = (stage, clientX, clientY, factor) => {
    const box = stage.getBoundingClientRect();
    const x = (clientX - box.left) / box.width, y = (clientY - box.top) / box.height;
    const next = Math.min(Math.max(scale * factor, 1), MOST);
    left += x / scale - x / next;
    top += y / scale - y / next;
    scale = next;
    apply();
  };
  const zoomMiddle = (factor) => {
    const next = Math.min(Math.max(scale * factor, 1), MOST);
    left += 0.5 / scale - 0.5 / next;
    top += 0.5 / scale - 0.5 / next;
    scale = next;
    apply();
  };
  const move = (x, y) => { left += x / scale; top += y / scale; apply(); };
  const reset = () => { scale = 1; left = 0; top = 0; apply(); };
  const stageOf = (event) => event.target.closest?.(".stage");

  root.addEventListener("wheel", (event) => {
    const stage = stageOf(event);
    if (!stage || !(onWheel || event.ctrlKey || event.metaKey || event.altKey)) return;
    event.preventDefault();
    zoomAt(stage, event.clientX, event.clientY, Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)));
  }, { passive: false });

  root.addEventListener("pointerdown", (event) => {
    const stage = stageOf(event);
    moved = false;
    if (stage) fingers.set(event.pointerId, { x: event.clientX, y: event.clientY, stage });
  });
  root.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = { ...before, x: event.clientX, y: event.clientY };
    const box = before.stage.getBoundingClientRect();
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      zoomAt(before.stage, (now.x + other.x) / 2, (now.y + other.y) / 2, apart(now) / apart(before));
      moved = true;
    } else if (scale > 1) {
      if (!moved && Math.hypot(now.x - before.x, now.y - before.y) < 4) return; // a click, so far
      if (!moved) root.setPointerCapture?.(event.pointerId);
      move((before.x - now.x) / box.width, (before.y - now.y) / box.height);
      moved = true;
    }
    fingers.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    root.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
  root.addEventListener("click", (event) => { // what was a drag is no click
    if (!moved) return;
    moved = false;
    event.stopPropagation();
    event.preventDefault();
  }, true);
  root.addEventListener("dragstart", (event) => event.preventDefault());
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2], ArrowDown: [0, 0.2] };
    if (event.key === "+" || event.key === "=") zoomMiddle(STEP);
    else if (event.key === "-") zoomMiddle(1 / STEP);
    else if (event.key === "0") reset();
    else if (scale > 1 && moves[event.key]) move(...moves[event.key]);
    else return;
    event.preventDefault();
  });
  root.addEventListener("scroll", () => { if (scale > 1) { clearTimeout(sharpenLater); sharpenLater = setTimeout(sharpen, 200); } }, true);
  return { zoomMiddle, reset, wheel: (on) => { onWheel = on; root.classList.toggle("wheel", on); }, tell: (f) => listeners.add(f) };
};

const pressable = (text, title, act) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.title = title;
  button.onclick = act;
  return button;
};

// The bar above the pictures: less, how much, more, the whole picture, and whether the wheel zooms.
const zoomBar = (zoom) => {
  const bar = document.createElement("div");
  bar.className = "zoom-bar";
  const much = document.createElement("span");
  much.className = "much";
  const tell = (scale) => { much.textContent = `${scale.toFixed(scale < 10 ? 1 : 0)}×`; whole.disabled = scale === 1; };
  const whole = pressable("whole picture", "Show whole pictures again (key 0)", () => zoom.reset());
  const wheel = pressable("wheel zooms", "Zoom with the wheel in place of scrolling", () => {
    const on = wheel.getAttribute("aria-pressed") !== "true";
    wheel.setAttribute("aria-pressed", on);
    zoom.wheel(on);
  });
  wheel.setAttribute("aria-pressed", "false");
  const hint = document.createElement("span");
  hint.className = "hint";
  hint.textContent = "Zoom all at one place: Ctrl + wheel or pinch on a picture, then drag. Keys: + − 0 arrows.";
  bar.append(
    pressable("−", "Zoom out in all pictures (key −)", () => zoom.zoomMiddle(1 / STEP)),
    much,
    pressable("+", "Zoom in on all pictures at the same place (key +)", () => zoom.zoomMiddle(STEP)),
    whole, wheel, hint,
  );
  zoom.tell(tell);
  tell(1);
  return bar;
};
