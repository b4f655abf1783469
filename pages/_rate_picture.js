// One picture: with a slider per question (single), or one key each (deck).

const KEY_STEP = 12.5; // points between two keys: 1 = 0, 5 = 50, 9 = 100
const digitMark = (event) => { const digit = digitOf(event); return digit ? (digit - 1) * KEY_STEP : null; };

const onePicture = (item, stage, hands) => {
  const box = node("div", "one beside");
  box.append(hands.picture(item.pictures[0], "the picture to rate"));
  stage.append(box);
};

// The nine marks as buttons in a row, with the words of the scale below.
const markButtons = (hands, words, before, act) => {
  const box = node("div", "marks");
  const row = node("div", "mark-row");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", `${words.label}: ${words.anchors.join(", ")}`);
  for (let digit = 1; digit <= 9; digit += 1) {
    const mark = (digit - 1) * KEY_STEP;
    const button = hands.button(String(digit), `${figure(mark)} of 100 (key ${digit})`, () => act(mark));
    button.setAttribute("aria-label", `${figure(mark)} of 100, key ${digit}`);
    if (before === mark) button.classList.add("before");
    button.style.setProperty("--share", (digit - 1) / 8);
    row.append(button);
  }
  const anchors = node("div", "anchors");
  anchors.append(...words.anchors.map((text) => node("span", "", text)));
  const short = words.anchors.map((text, n) => text.replace(/^\d+/, String(4 * n + 1))).join(" · "); // where keys stand in two lines
  box.append(node("div", "axis", words.label), row, anchors, node("div", "by-key", short));
  return box;
};

const deckView = {
  keys: [["1 … 9", "mark and next: 1 = 0, 5 = 50, 9 = 100"], ["← →", "move the slider that has the focus"], ["Enter", "save the slider's mark"]],
  draw(item, stage, hands) {
    onePicture(item, stage, hands);
    this.ask(item, hands);
  },
  ask(item, hands) {
    const axis = hands.axes[0], words = hands.words.axes[axis];
    const before = item.before?.marks?.[axis];
    this.mark = before;
    const save = hands.button("Save and next", "Save the slider's mark (Enter)", () => this.save(hands), "Enter");
    save.classList.add("main");
    this.button = save;
    const fine = hands.slider(axis, before, (mark) => { this.mark = mark; this.tellFlags(hands); });
    fine.classList.add("finer");
    const line = node("div", "fine");
    line.append(fine, save);
    hands.controls.append(markButtons(hands, words, before, (mark) => hands.answer({ marks: { [axis]: mark } })), line);
  },
  tellFlags(hands) {
    this.button.disabled = this.mark === undefined && !hands.flagged();
  },
  save(hands) {
    if (this.mark !== undefined) hands.answer({ marks: { [hands.axes[0]]: this.mark } });
    else if (hands.flagged()) hands.answer({});
    else hands.say("Press 1 to 9, or move the slider first.");
  },
  key(event, item, hands) {
    const mark = digitMark(event);
    if (mark !== null) hands.answer({ marks: { [hands.axes[0]]: mark } });
    else if (event.key === "Enter") this.save(hands);
    else return false;
    return true;
  },
};

const singleView = {
  keys: [["1 … 9", "mark what is framed and frame the next: 1 = 0, 5 = 50, 9 = 100"], ["↑ ↓ or Tab", "frame another slider"], ["← →", "move the framed slider"], ["Enter", "save and next"]],
  draw(item, stage, hands) {
    this.marks = { ...(item.before?.marks ?? {}) };
    this.axis = hands.axes[0];
    onePicture(item, stage, hands);
    this.button = hands.button("Save and next", "Save the marks that are set (Enter)", () => this.save(hands), "Enter");
    this.button.classList.add("main");
    this.sliders = {};
    for (const axis of hands.axes) {
      const box = hands.slider(axis, this.marks[axis], (mark) => { this.marks[axis] = mark; this.frame(axis, hands); });
      box.addEventListener("focusin", () => this.frame(axis, hands));
      this.sliders[axis] = box;
      hands.controls.append(box);
    }
    hands.controls.append(this.button);
    this.frame(this.axis, hands);
  },
  frame(axis, hands) {
    this.axis = axis;
    for (const [name, box] of Object.entries(this.sliders)) box.classList.toggle("current", name === axis);
    this.button.disabled = !Object.keys(this.marks).length && !hands.flagged();
  },
  tellFlags(hands) { this.frame(this.axis, hands); },
  save(hands) {
    if (Object.keys(this.marks).length) hands.answer({ marks: this.marks });
    else if (hands.flagged()) hands.answer({});
    else hands.say("Move a slider or press 1 to 9 first. S skips the picture.");
  },
  key(event, item, hands) {
    const mark = digitMark(event);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (mark !== null) {
      this.sliders[this.axis].set(mark);
      this.marks[this.axis] = mark;
      const next = hands.axes.slice(hands.axes.indexOf(this.axis) + 1).find((axis) => !(axis in this.marks));
      this.go(next ?? this.axis, hands);
    } else if (step) {
      const at = hands.axes.indexOf(this.axis) + step;
      if (hands.axes[at]) this.go(hands.axes[at], hands);
    } else if (event.key === "Enter") this.save(hands);
    else return false;
    return true;
  },
  go(axis, hands) {
    this.frame(axis, hands);
    this.sliders[axis].input.focus({ preventScroll: true });
  },
};
