// Two pictures of the same prompt and seed: which one is more this person?

const SIDES = ["left", "right"];
const PAIR_KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "same", "=": "same", b: "bad" };

const pairView = {
  wide: true,
  keys: [["←", "the left one is more this person"], ["→", "the right one is"], ["↓ or =", "the same, or can't tell"], ["B", "both are bad"]],
  draw(item, stage, hands) {
    const choices = [["left", "Left", "←"], ["same", "Same", "↓"], ["bad", "Both bad", "B"], ["right", "Right", "→"]];
    this.tiles = item.pictures.map((picture, n) => {
      const title = `The ${SIDES[n]} picture is more this person`;
      return tile(hands, hands.picture(picture, `the ${SIDES[n]} picture`), title, () => this.say(SIDES[n], hands), node("figcaption", "foot none"));
    });
    const row = node("div", "choices pair-choices");
    const say = (said) => this.say(said, hands);
    this.buttons = Object.fromEntries(choices.map((choice) => [choice[0], sayButton(hands, choice, item.before?.said, say)]));
    row.append(...Object.values(this.buttons));
    hands.controls.append(node("div", "question", "Which one is more this person?"), row);
    layTiles(stage, this.tiles, "pair", (columns) => { // above each other where the window is narrow
      const names = columns > 1 ? ["Left", "Right"] : ["Upper", "Lower"];
      SIDES.forEach((side, n) => { this.buttons[side].firstChild.textContent = names[n]; });
    });
  },
  say(said, hands) {
    for (const [each, button] of Object.entries(this.buttons)) button.classList.toggle("chosen", each === said);
    this.tiles.forEach((one, n) => one.classList.toggle("chosen", SIDES[n] === said));
    hands.answer({ said });
  },
  key(event, item, hands) {
    const said = PAIR_KEYS[event.key];
    if (said) this.say(said, hands);
    return Boolean(said);
  },
};
