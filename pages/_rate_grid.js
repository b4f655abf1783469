// Up to six pictures: the one that is most this person, then the one that is least.

const GRID_KEYS = { ArrowDown: "same", "=": "same", b: "bad" };

const gridView = {
  wide: true,
  keys: [["1 … 6", "the best, then the worst"], ["the same key again", "not this one after all"], ["Shift + 1 … 6", "the worst"],
    ["↓ or =", "all the same, or can't tell"], ["B", "all are bad"]],
  draw(item, stage, hands) {
    this.best = null;
    this.worst = null;
    this.before = item.before ?? {};
    this.tiles = item.pictures.map((picture, n) => {
      const foot = node("figcaption", "foot"), number = node("kbd", "", String(n + 1));
      foot.append(number, node("span", "chose"));
      const press = (event) => { if (event.detail < 2 || n !== this.best) this.choose(n, hands); }; // a double click picks once
      return tile(hands, hands.picture(picture, `picture ${n + 1}`), "", press, foot);
    });
    layTiles(stage, this.tiles, "grid");
    this.question = node("div", "question");
    this.question.setAttribute("aria-live", "polite");
    const row = node("div", "choices grid-choices");
    for (const choice of [["same", "Can't tell", "↓"], ["bad", "All bad", "B"]]) {
      row.append(sayButton(hands, choice, this.before.said, (said) => hands.answer({ said })));
    }
    hands.controls.append(this.question, row);
    this.show();
  },
  // The first pick is the best, the second the worst; one that was picked before is let go.
  choose(n, hands, asWorst = false) {
    if (this.best === n) this.best = null;
    else if (this.worst === n) this.worst = null;
    else if (asWorst || this.best !== null) this.worst = n;
    else this.best = n;
    this.show();
    if (this.best !== null && this.worst !== null) hands.answer({ best: this.best, worst: this.worst });
  },
  // Undo takes back a pick that isn't answered yet, before it takes back an answer.
  back() {
    const picked = this.best !== null || this.worst !== null;
    this.best = null;
    this.worst = null;
    this.show();
    return picked;
  },
  show() {
    this.tiles.forEach((one, n) => {
      const what = n === this.best ? "best" : n === this.worst ? "worst" : "";
      const was = n === this.before.best ? "best before" : n === this.before.worst ? "worst before" : "";
      one.classList.toggle("best", what === "best");
      one.classList.toggle("worst", what === "worst");
      one.querySelector(".chose").textContent = { best: "best ▲", worst: "worst ▼" }[what] ?? was;
      const next = this.best === null ? "the best" : "the worst";
      one.press.title = what ? `Not the ${what} after all (${n + 1})` : `Picture ${n + 1} is ${next} (${n + 1})`;
      one.press.setAttribute("aria-label", one.press.title);
      one.press.setAttribute("aria-pressed", Boolean(what));
    });
    const picked = this.best === null ? this.worst : this.best;
    if (picked === null) this.question.textContent = "Which one is most this person? Then: which one least?";
    else if (this.best !== null) this.question.textContent = `Best: ${picked + 1}. Now the one that is least this person.`;
    else this.question.textContent = `Worst: ${picked + 1}. Now the one that is most this person.`;
  },
  key(event, item, hands) {
    const said = GRID_KEYS[event.key], n = digitOf(event) - 1;
    if (said) hands.answer({ said });
    else if (n >= 0) { if (n < item.pictures.length) this.choose(n, hands, event.shiftKey); }
    else return false;
    return true;
  },
};
