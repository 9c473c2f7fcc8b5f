/** The text view: each character tinted by its surprisal. */

import { el, find, setText } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { STEPS_BITS, stepOf } from "../../ui/tints.js";

/** @param {InsideStore} store */
export function mountTextView(store) {
  find("#text-legend").append(...legend());
  store.watch(
    (state) => [state.probe],
    (probe) => {
      if (!probe) return;
      find("#text-strip").replaceChildren(...spansOf(probe));
      setText(find("#text-mean"), meanSentence(probe));
    },
  );
}

/** @param {Probe} probe */
function spansOf({ characters, surprisal, unknown }) {
  const lacking = new Set(unknown);
  return characters.map((character, i) => {
    const step = stepOf(surprisal[i]);
    const classes = [step && `tint tint-${step}`, lacking.has(i) && "unknown"];
    return el("span", { class: classes.filter(Boolean).join(" ") || null, text: character });
  });
}

/** @param {Probe} probe */
function meanSentence({ surprisal, unknown }) {
  const known = surprisal.filter((bits) => bits !== null);
  const mean = known.reduce((sum, bits) => sum + bits, 0) / known.length;
  const about = known.length ? `Mean surprisal: ${format.fine(mean)} bits per character.` : "";
  const lacking = unknown.length
    ? ` ${format.plural(unknown.length, "character is", "characters are")} not in the text that ` +
      "the network learned, and the network skips them."
    : "";
  return about + lacking;
}

/** The tints, each with the bits at which it begins. */
const legend = () =>
  [0, ...STEPS_BITS].map((bits, i) =>
    el("span", { class: i ? `tint tint-${i}` : null, text: format.plain(bits) }),
  );
