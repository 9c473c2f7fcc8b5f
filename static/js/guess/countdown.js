/**
 * The time left in a round. It is counted from the server's messages: the clock of a phone may be
 * minutes off.
 */

import { find, setText } from "../lib/dom.js";

const DRAW_EVERY_MS = 100;
const FEW_S = 5;

/** @param {Store<GuessState>} store */
export function mountCountdown(store) {
  const box = find("#guess-time");
  const bar = find("#guess-time-bar");
  const seconds = find("#guess-seconds-left");

  function draw() {
    const { game, clock, over } = store.get();
    const shown = clock !== null && game !== null && over === null;
    if (box.hidden !== !shown) box.hidden = !shown;
    if (!shown) return;
    const leftS = Math.max(0, clock.leftS - (performance.now() - clock.at) / 1000);
    setText(seconds, `${Math.ceil(leftS)} s`);
    bar.style.setProperty("--share", String(Math.min(1, leftS / game.seconds)));
    box.toggleAttribute("data-few", leftS <= FEW_S);
  }

  store.watch(({ clock, over }) => [clock, over], draw);
  setInterval(draw, DRAW_EVERY_MS);
}
