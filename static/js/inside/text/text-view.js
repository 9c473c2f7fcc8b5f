/**
 * The text view: each character tinted by its surprisal, or the earlier ones by how much the
 * selected one depends on them.
 */

import { el, find, radios, setText } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { STEPS_BITS, stepOf } from "../../ui/tints.js";
import { characterLabel, characterName } from "../../standalone/characters.js";
import { dependenceOf } from "../state/saliency.js";
import { aboutCharacter, lookedAt, placeOf } from "../state/selection.js";
import { Strip } from "../strip/strip.js";
import { mountLikeliest } from "./likeliest.js";
import { mountTrainingCurve } from "./training-curve.js";

/** At each of these shares of the greatest gradient, the tint becomes one step darker. */
const STEPS_SHARE = [0.02, 0.05, 0.1, 0.2, 0.35, 0.55, 0.8];

const LEGENDS = {
  surprisal: "surprisal in bits, −log₂ p: the stronger the tint, the less expected",
  gradient: "norm of the gradient of the selected character’s logit, as a share of the greatest",
};

/** @param {InsideStore} store */
export function mountTextView(store) {
  const strip = new Strip(find("#text-strip"), {
    hover: (hovered) => store.dispatch({ type: "set", values: { hovered } }),
    select(position, byKey) {
      store.dispatch({ type: "set", values: { position } });
      const { probe } = store.get();
      if (!byKey || !probe) return;
      const name = characterName(probe.characters[position]);
      const said = `${name}, ${placeOf(probe, position)}. ${aboutCharacter(probe, position)}`;
      setText(find("#live-region"), said);
    },
  });
  const inputs = radios("text-tint");
  for (const input of inputs) {
    input.addEventListener("change", () =>
      store.dispatch({ type: "set", values: { tint: input.value } }),
    );
  }

  store.watch(
    (state) => [state.tint],
    (tint) => {
      for (const input of inputs) input.checked = input.value === tint;
      find("#text-legend").replaceChildren(...legend(tint));
      setText(find("#text-legend-words"), LEGENDS[tint]);
    },
  );
  store.watch(
    (state) => [state.probe, state.tint, lookedAt(state)],
    (probe, tint, index) => {
      find("#text-view").dataset.ready = String(probe !== null);
      if (!probe) return;
      strip.show(probe.characters, looks(probe, tint, index));
      strip.mark(index);
      setText(find("#text-about"), summary(probe));
      setText(find("#text-name"), characterLabel(probe.characters[index]));
      setText(find("#text-place"), placeOf(probe, index));
      setText(find("#text-character"), aboutCharacter(probe, index));
    },
  );
  mountLikeliest(store);
  mountTrainingCurve(store);
}

/**
 * The classes of each character.
 *
 * @param {Probe} probe
 * @param {InsideState["tint"]} tint
 * @param {number} index of the selected character.
 * @returns {(i: number) => string}
 */
function looks(probe, tint, index) {
  const lacking = new Set(probe.unknown);
  const dependence = tint === "gradient" ? dependenceOf(probe, index) : null;
  const step = (/** @type {number} */ i) => {
    if (tint === "surprisal") return stepOf(probe.surprisal[i]);
    const share = dependence?.(i) ?? 0;
    return STEPS_SHARE.filter((least) => share >= least).length;
  };
  return (i) => {
    if (lacking.has(i)) return "unknown";
    const own = step(i);
    return own ? `tint tint-${own}` : "";
  };
}

/** @param {Probe} probe */
function summary({ model, surprisal, unknown }) {
  const known = surprisal.filter((bits) => bits !== null);
  const mean = known.reduce((sum, bits) => sum + bits, 0) / known.length;
  const lacking =
    unknown.length === 1
      ? "1 character is unknown to it."
      : `${format.count(unknown.length)} characters are unknown to it.`;
  return [
    `Read by the network of update ${format.count(model.update)}.`,
    known.length ? `Mean surprisal: ${format.fine(mean)} bits per character.` : "",
    unknown.length ? lacking : "",
  ]
    .filter(Boolean)
    .join(" ");
}

/** The tints, each with the figure at which it begins. @param {InsideState["tint"]} tint */
const legend = (tint) =>
  [0, ...(tint === "surprisal" ? STEPS_BITS : STEPS_SHARE)].map((least, i) => {
    const text = tint === "surprisal" ? format.plain(least) : format.share(least);
    return el("span", { class: i ? `tint tint-${i}` : null, text });
  });
