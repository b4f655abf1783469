// Rating: shows what a sitting asks, one item at a time; an answer is on disk before the next item comes.
//
// A way of asking (a view) is { draw(item, stage, hands), keys: [[key, what], ...], key(event, item, hands) -> true if
// used }, optionally wide: true (pictures over the whole width, controls below), back() -> true if it took back half
// an answer, and tellFlags(hands), called when flags have changed. `hands` is what the core lends it:
//   answer(payload)        save it (without item and seconds) and go on; refused while an answer is under way
//   flag(index)            open the menu of flags for that picture;  flagged() -> are there flags to save?
//   zoom(index)            that picture over the whole window; zoom() = all pictures at one place, 2.5 times or whole
//   picture(json, alt)     an element of class "stage" with the picture, close-up and nearest photo included
//   button(text, title, act, key), slider(axis, value, onChange)    slider.set(mark), slider.input
//   controls               where the view puts its buttons;  say(text)  a line under them
//   words, axes            of the page, and of the sitting
// Keys that come while an answer is under way wait, and answer the next items in order. Once an answer could not be
// saved no more keys are taken until it is: nobody should mark pictures unseen.

const VIEWS = { single: singleView, deck: deckView, sheet: rowView, pair: pairView, best_worst: gridView };
const TAKEN = new Set(["Enter", "Backspace", " ", "ArrowUp", "ArrowDown", "Escape", "?", "=", "+", "-", "0"]);
const CLOSER = 2.5; // times
const LEAVE_AGAIN = 4000; // ms: the page may be out of reach when it is told to go on
const LEAST_TILE = 44, MOST_TILE = 260; // px of a reference photo beside the picture

const plainKey = (event) => ({ key: event.key.length === 1 ? event.key.toLowerCase() : event.key, code: event.code, shiftKey: event.shiftKey });
const leftWords = (seconds) => (seconds < 50 ? "less than a minute left" : `about ${Math.round(seconds / 60) || 1} min left`);

const rating = (root, data, leave) => {
  const pictures = ahead(), keys = [];
  let state = null, item = null, view = null, flags = [], shown = [], sources = [];
  let busy = true, holding = false, refused = 0, shownAt = 0, over = false, close = false, near = false, ended = false, longest = "";

  // the frame of the component
  const part = (name, tag = "div") => { const made = node(tag, name); root.append(made); return made; };
  root.replaceChildren();
  const bar = part("bar"), show = part("show"), strip = part("strip"), asked = part("asked"), controls = part("controls");
  const told = part("told"), actions = part("actions"), layer = part("layer");
  const heard = part("heard");
  told.setAttribute("role", "status");
  heard.setAttribute("role", "status");
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", "Rating");
  const progress = node("div", "progress"), meter = node("progress"), who = node("div", "who");
  const finish = (why) => { leave(why); setTimeout(() => { if (root.isConnected && !ended) finish(why); }, LEAVE_AGAIN); };
  const stop = keyed("Stop for now", "", "What you answered is saved; you can go on later", () => finish("stopped"));
  stop.classList.add("stop");
  meter.setAttribute("aria-label", "answered");
  bar.append(progress, who, stop, meter);
  const zoom = zoomable(root);
  let scale = 1;
  zoom.tell((now) => { scale = now; });

  const say = (text, kind = "") => { told.className = `told ${kind}`; told.textContent = text; };

  // answers
  const held = node("span"); // beside the trouble: what was pressed meanwhile and doesn't count
  const line = wire(data.sitting, (why, saving) => {
    holding = true;
    root.classList.add("holding");
    say(`${saving ? "Not saved yet" : "No pictures yet"}: trying again. ${why} ${saving ? "Keys count again when it is." : ""}`, "trouble");
    told.append(held, keyed("Try now", "", "Try to save it at once", () => line.now()));
  });
  const settled = () => { holding = false; refused = 0; held.textContent = ""; root.classList.remove("holding"); };
  const refuse = (what) => {
    refused += 1;
    held.textContent = ` ${what} was not taken${refused > 1 ? ` (${refused} so far)` : ""}: press it again when the next picture is there.`;
    heard.textContent = `Not saved yet: ${what.toLowerCase()} was not taken.`;
  };
  const send = async (payload, kept = false) => {
    busy = true;
    root.classList.add("busy");
    const answer = await line.send(payload);
    if (answer.ended) return;
    settled();
    root.classList.remove("busy");
    if (answer.gone) { say(answer.gone, "trouble"); finish("gone"); return; }
    const theirs = answer.taken && !answer.again && !kept; // of a second try: the first one had arrived after all
    if (theirs || answer.refused) keys.length = 0;
    if (!answer.state) { say(answer.refused, "trouble"); busy = false; return; }
    if (answer.refused && answer.state.items[0]?.token === item?.token) { // the same again, as it was left
      state = answer.state;
      busy = false;
      say(answer.refused, "trouble");
      return;
    }
    take(answer.state);
    if (answer.refused) say(answer.refused, "trouble");
    else if (theirs) say("This was answered in another window. Here is what comes next.");
    else heard.textContent = payload.undo ? "Taken back." : `Saved. ${state.done} of ${state.total}.`;
  };
  const answer = (payload) => {
    if (busy || !item) return;
    if (shown.some((one) => one.entry.failed) && !payload.skip) { say("A picture can't be shown: skip this one (S)."); return; }
    const seconds = Math.round(performance.now() - shownAt) / 1000;
    send({ item: item.token, seconds, ...payload, ...(flags.length ? { flags } : {}) });
  };
  const undo = () => { if (!busy && !view.back?.() && state.can_undo) send({ undo: true, item: state.last }); };

  // drawing
  const take = (next) => {
    state = next;
    sources = state.items.flatMap((one) => one.pictures.flatMap((picture) => [picture.src, near && picture.nearest?.src].filter(Boolean)));
    pictures.keep(sources);
    if (state.over || !state.items.length) { end(); return; }
    over = false;
    item = state.items[0];
    flags = [...(item.before?.flags ?? [])];
    draw();
  };
  const end = () => {
    over = busy = true;
    item = null;
    for (const part of [show, asked, controls, actions]) part.replaceChildren();
    say("Saved. One moment …");
    finish("over");
  };
  const draw = () => {
    const had = root.getRootNode().activeElement?.dataset?.what;
    view = VIEWS[state.mode];
    root.className = `rate mode-${state.mode}${view.wide ? " wide" : ""}`;
    zoom.reset();
    show.replaceChildren();
    controls.replaceChildren();
    if (dialog.name) dialog.shut();
    shown = [];
    say("");
    tellAsked();
    tellProgress();
    view.draw(item, show, hands);
    tellFlags();
    buttons();
    const first = had?.startsWith("slider ") ? `slider ${state.axes[0]}` : had; // sliders begin anew with each picture
    if (first) root.querySelector(`[data-what="${first}"]`)?.focus({ preventScroll: true });
    arrange();
    const ready = () => { busy = false; shownAt = performance.now(); look(); drain(); };
    busy = true;
    if (shown.every((one) => one.entry.ready)) ready();
    else { const mine = item; Promise.all(shown.map((one) => one.entry.done)).then(() => { if (item === mine) ready(); }); }
  };
  // In the room of the longest text so far, so that nothing moves from picture to picture.
  const tellAsked = () => {
    const words = (one) => (one.text ? `Asked for: ${one.text}` : "");
    longest = [longest, ...state.items.map(words)].reduce((most, text) => (text.length > most.length ? text : most));
    const room = node("div", "room", longest);
    room.setAttribute("aria-hidden", "true");
    asked.replaceChildren(...(longest ? [node("div", "", words(item)), room] : []));
    asked.title = item.text;
  };
  const tellProgress = () => {
    const left = state.seconds_left === null ? "" : ` · ${leftWords(state.seconds_left)}`;
    const warm = state.items.filter((one) => one.warm_up).length;
    const of = state.warm_ups ? ` ${state.warm_ups.done + 1} of ${state.warm_ups.total}` : `: ${warm} to go`;
    progress.textContent = item.warm_up ? `Warm-up${of}. These don't count.` : `${state.done} of ${state.total}${left}`;
    progress.classList.toggle("warm", item.warm_up);
    meter.max = state.total || 1;
    meter.value = state.done;
    who.textContent = state.rater;
    who.title = "Whose answers these are";
  };
  const buttons = () => {
    const add = (what, text, key, title, act, pressed) => {
      const button = keyed(text, key, title, act);
      button.dataset.what = what;
      if (pressed !== undefined) button.setAttribute("aria-pressed", pressed);
      actions.append(button);
      return button;
    };
    const had = root.getRootNode().activeElement?.dataset?.what;
    actions.replaceChildren();
    add("undo", "Undo", "Z", "Take the last answer back (Z or Backspace)", undo).disabled = !state.can_undo;
    add("skip", "Skip", "S", "Say nothing about this one (S)", () => answer({ skip: true }));
    add("flag", "Flag", "F", "Say what is wrong with a picture (F)", () => flag(), Boolean(dialog.name));
    add("zoom", "Zoom", "␣", "Zoom in and out (space); drag moves, Ctrl + wheel goes on", () => space(), scale > 1);
    const faces = item.pictures.some((picture) => picture.face), photos = item.pictures.some((picture) => picture.nearest);
    add("face", "Face", "X", faces ? "Faces close up (X)" : "No face was found in it", () => { close = !close; look(); buttons(); }, close).disabled = !faces;
    add("near", "Nearest", "N", photos ? "The reference photo nearest to it, beside it (N)" : "No nearest photo is known", beside, near).disabled = !photos;
    add("help", "?", "", "All keys (?)", () => dialog.help(view.keys));
    if (had) actions.querySelector(`[data-what="${had}"]`)?.focus({ preventScroll: true });
  };
  // Close-up and nearest photo of what is on show, as the switches say.
  const look = () => {
    for (const one of shown) {
      closeUp(one.stage, one.entry.image, close ? one.json.face : null);
      one.photo?.remove();
      one.photo = null;
      if (!near || !one.json.nearest) continue;
      one.photo = node("figure", "near");
      const image = new Image();
      image.src = one.json.nearest.src;
      image.alt = "the reference photo nearest to it";
      one.photo.append(image, node("figcaption", "", "nearest photo"));
      if (one.stage.parentElement?.classList.contains("beside")) one.stage.after(one.photo);
      else one.stage.append(one.photo);
    }
    root.classList.toggle("nearby", near && shown.some((one) => one.photo));
    if (close) for (const one of shown) closeUp(one.stage, one.entry.image, one.json.face); // its place may have changed
  };
  const beside = () => { near = !near; look(); buttons(); arrange(); };
  const space = (index) => {
    if (index !== undefined) { dialog.large(item.pictures[index].src); return; }
    if (scale > 1) zoom.reset(); else zoom.zoomMiddle(CLOSER);
    buttons();
  };
  const arrange = () => {
    const narrow = getComputedStyle(strip).getPropertyValue("--line").trim();
    if (!data.reference.length) { strip.hidden = true; return; }
    if (narrow) strip.style.removeProperty("--tile");
    else strip.style.setProperty("--tile", `${Math.min(Math.max(tileSize(data.reference.length, strip.clientWidth, strip.clientHeight, 4), LEAST_TILE), MOST_TILE)}px`);
  };

  // over the pictures
  const dialog = dialogs(root, layer, [bar, show, strip, asked, controls, told, actions], {
    item: () => item,
    labels: data.words.flags,
    has: (index, what) => flags.some(([at, said]) => at === index && said === what),
    flagAs: (index, what) => {
      const rest = flags.filter(([at, said]) => at !== index || said !== what);
      flags = rest.length < flags.length ? rest : [...flags, [index, what]];
      tellFlags();
    },
    changed: () => buttons(),
  });
  const flag = (index) => { if (!busy) dialog.flag(index); }; // an answer under way would miss it
  const tellFlags = () => {
    shown.forEach((one) => {
      one.stage.querySelector(".flag")?.remove();
      const said = flags.filter(([at]) => item.pictures[at] === one.json).map(([, what]) => data.words.flags[what]);
      if (said.length) one.stage.append(node("div", "flag", `⚑ ${said.join(", ")}`));
    });
    if (flags.length && !over) say("Flagged: saved with your answer, or alone with Enter or Skip.");
    else say("");
    view.tellFlags?.(hands);
  };

  const hands = {
    answer,
    flag,
    flagged: () => flags.length > 0,
    zoom: space,
    say,
    controls,
    words: data.words,
    get axes() { return state.axes; },
    picture: (json, alt) => {
      const entry = pictures.fetch(json.src), stage = node("div", "stage");
      entry.image.alt = alt;
      stage.append(entry.image);
      entry.done.then(() => { if (entry.failed) stage.replaceChildren(node("div", "none", "This picture can't be shown. Skip it.")); });
      shown.push({ entry, stage, json });
      return stage;
    },
    button: (text, title, act, key) => keyed(text, key, title, (event) => {
      if (holding) refuse("That click");
      if (busy || (event.detail > 1 && performance.now() - shownAt < SOON)) return; // a double click answers once
      act(event);
    }),
    slider: (axis, value, onChange) => slider(axis, data.words.axes[axis], value, onChange),
  };

  // keys
  const press = (event) => {
    if (dialog.name) dialog.press(event);
    else if (view.key(event, item, hands)) return;
    else if (event.key === "Backspace" || event.key === "z") undo();
    else if (event.key === "s") answer({ skip: true });
    else if (event.key === "f") flag();
    else if (event.key === " ") space();
    else if (event.key === "x" && item.pictures.some((picture) => picture.face)) { close = !close; look(); buttons(); }
    else if (event.key === "n" && item.pictures.some((picture) => picture.nearest)) beside();
    else if (event.key === "?") dialog.help(view.keys);
    else if (event.key === "Enter" && flags.length) answer({});
    else if (event.key === "+") { zoom.zoomMiddle(1.25); buttons(); }
    else if (event.key === "-") { zoom.zoomMiddle(0.8); buttons(); }
    else if (event.key === "0") { zoom.reset(); buttons(); }
  };
  const drain = () => { while (!busy && keys.length) press(keys.shift()); };
  const onKey = (event) => {
    if (dialog.name && event.key === "Tab") { dialog.inTurn(event); return; }
    if (!root.isConnected || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const at = event.composedPath()[0], ours = root.contains(at);
    if (!ours && at.closest?.("input, textarea, select, [contenteditable], [role=dialog], [role=menu], [role=listbox]")?.checkVisibility()) return;
    const known = TAKEN.has(event.key) || /^[1-9]$/.test(event.key) || /^Digit[1-9]$/.test(event.code) || /^[a-z]$/i.test(event.key);
    const sideways = /^Arrow(Left|Right)$/.test(event.key) && (view?.keys ?? []).some(([key]) => key === "←" || key === "→");
    if ((!known && !sideways) || /^[cr]$/i.test(event.key)) return; // C and R are Streamlit's
    if ((event.key === "Enter" || event.key === " ") && at.closest?.("button, a")) return; // presses what has the focus
    event.preventDefault();
    event.stopPropagation();
    if (event.repeat || over || !item) return;
    if (holding) { refuse("That key"); return; }
    keys.push(plainKey(event));
    drain();
  };
  const onReturn = async () => { // another window may have gone on
    if (document.hidden || busy || dialog.name) return;
    const { state: now } = await line.glance();
    if (now && !busy && !over && !dialog.name && now.items[0]?.token !== item?.token) { take(now); say("Answered in another window meanwhile: here is what comes next."); }
  };
  const watch = new ResizeObserver(() => { arrange(); if (close) look(); });

  const begin = async () => {
    say("One moment …");
    const kept = line.unsent();
    if (kept) await send(kept, true);
    else {
      const first = await line.look();
      if (first.ended) return;
      settled();
      if (first.gone || !first.state) { say(first.gone ?? first.refused, "trouble"); finish("gone"); } else take(first.state);
    }
  };
  for (const picture of data.reference) {
    const image = new Image();
    image.src = picture.thumb;
    image.alt = "reference photo";
    image.decoding = "async";
    strip.append(image);
  }
  strip.setAttribute("role", "group");
  strip.setAttribute("aria-label", "Reference photos of the person");
  strip.tabIndex = 0;
  for (const part of [root, strip]) watch.observe(part);
  begin();
  return {
    listen: () => { document.addEventListener("keydown", onKey, true); document.addEventListener("visibilitychange", onReturn); window.addEventListener("focus", onReturn); },
    leave: () => { document.removeEventListener("keydown", onKey, true); document.removeEventListener("visibilitychange", onReturn); window.removeEventListener("focus", onReturn); },
    end: () => { ended = true; watch.disconnect(); line.end(); },
  };
};

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".rate");
  const seen = JSON.stringify(data);
  root.finish = (why) => setTriggerValue("finished", why);
  if (root.seen !== seen) {
    root.rating?.leave();
    root.rating?.end();
    root.seen = seen;
    root.rating = rating(root, data, (why) => root.finish(why));
  }
  root.rating.listen();
  return () => {
    root.rating.leave();
    setTimeout(() => { // else it is only drawn again
      if (root.isConnected) return;
      root.rating.end();
      root.seen = null; // should it come back, it begins anew
    });
  };
}
