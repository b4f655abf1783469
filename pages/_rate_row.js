// A row of pictures of one checkpoint: one mark for all of them.

const rowView = {
  ...deckView,
  wide: true,
  keys: [...deckView.keys, ["click on a picture", "shows it large"]],
  draw(item, stage, hands) {
    const tiles = item.pictures.map((picture, n) => {
      const foot = node("figcaption", "foot", String(n + 1));
      return tile(hands, hands.picture(picture, `picture ${n + 1}`), `The ${PLACES[n]} picture large`, () => hands.zoom(n), foot);
    });
    layTiles(stage, tiles, "row");
    this.ask(item, hands);
    hands.controls.querySelector(".axis").textContent += ` of all ${tiles.length} together`;
  },
};
