// What opens over the pictures while they are rated: the menu of flags, the list of keys, one picture large.

const FLAG_KEYS = ["broken", "not_the_person", "copy_of_a_photo"];
const CORE_KEYS = [["Z or Backspace", "undo, as often as you like"], ["S", "skip"], ["F, then a number", "flag a picture: the menu has the numbers"], ["Space", "zoom in and out"],
  ["X", "faces close up"], ["N", "nearest reference photo beside it"], ["?", "this list"]];

// `layer`: the element they open in; `behind`: what can't be reached meanwhile. `core` is what they ask the core for:
// item(), labels (of the flags), has(index, flag), flagAs(index, flag), changed() after each opening and closing.
const dialogs = (root, layer, behind, core) => {
  let name = null, index = null, back = null; // which is open, the picture it is about, what had the focus
  layer.hidden = true;
  layer.tabIndex = -1;

  const open = (which, label) => {
    if (!name) back = root.getRootNode().activeElement?.dataset?.what;
    name = which;
    for (const part of behind) part.inert = true;
    layer.hidden = false;
    layer.className = `layer ${name}`;
    layer.setAttribute("role", "dialog");
    layer.setAttribute("aria-modal", "true");
    layer.setAttribute("aria-label", label);
    layer.replaceChildren();
    layer.onclick = (event) => { if (event.target === layer) shut(); };
  };
  const shut = () => {
    name = null;
    for (const part of behind) part.inert = false;
    layer.hidden = true;
    layer.replaceChildren();
    core.changed();
    if (back) root.querySelector(`[data-what="${back}"]`)?.focus({ preventScroll: true });
  };
  const chosen = (what) => { const about = index; shut(); core.flagAs(about, what); };
  const flag = (of = core.item().pictures.length === 1 ? 0 : null) => {
    const { pictures } = core.item(), box = node("div", "box");
    open("flags", "Flag a picture");
    index = of;
    const which = pictures.length > 1 ? `picture ${index + 1}` : "it";
    box.append(node("b", "", index === null ? "Which picture?" : `What is wrong with ${which}?`));
    if (index === null) {
      const all = node("div", "which");
      pictures.forEach((picture, n) => {
        const button = keyed(`Picture ${n + 1}`, String(n + 1), "", () => flag(n)), small = new Image();
        small.src = picture.src; // the same as on show: it is there already
        small.alt = "";
        button.prepend(small);
        all.append(button);
      });
      box.append(all);
    } else {
      FLAG_KEYS.forEach((what, n) => {
        const button = keyed(core.labels[what], String(n + 1), "", () => chosen(what));
        button.setAttribute("aria-pressed", core.has(index, what));
        box.append(button);
      });
    }
    box.append(keyed("Close", "Esc", "", shut));
    layer.append(box);
    core.changed();
    box.querySelector("button").focus();
  };
  const help = (keys) => {
    open("keys", "All keys");
    const box = node("div", "box"), list = node("dl");
    for (const [key, what] of [...keys, ...CORE_KEYS]) list.append(node("dt", "", key), node("dd", "", what));
    box.append(node("b", "", "Keys"), list, keyed("Close", "Esc", "", shut));
    layer.append(box);
    box.lastChild.focus();
  };
  const large = (src) => {
    open("large", "One picture large");
    const image = new Image();
    image.src = src;
    image.alt = "the picture, large";
    layer.append(image);
    layer.onclick = shut;
    layer.focus();
  };
  // A key while one of them is open.
  const press = (event) => {
    if (name !== "flags") { if (["Escape", " ", "?", "Enter"].includes(event.key)) shut(); return; }
    const n = digitOf(event) - 1;
    if (event.key === "Escape" || event.key === "f") shut();
    else if (index === null && core.item().pictures[n]) flag(n);
    else if (index !== null && FLAG_KEYS[n]) chosen(FLAG_KEYS[n]);
  };
  // Tab stays in what is open.
  const inTurn = (event) => {
    const all = [...layer.querySelectorAll("button")], at = all.indexOf(root.getRootNode().activeElement);
    all.at((at + (event.shiftKey ? -1 : 1)) % all.length)?.focus();
    event.preventDefault();
  };
  return { get name() { return name; }, flag, help, large, shut, press, inTurn };
};
