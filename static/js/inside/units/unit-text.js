/** The text coloured by the selected unit, in which a stretch can be selected. */

import { find, setText } from "../../lib/dom.js";
import { chosenUnit } from "../state/reducers.js";
import { Strip } from "../strip/strip.js";
import { activationAt, activationsOf, tintOf } from "./activations.js";
import { characterWords, featureOf, signed, stretchWords, unitTitle } from "./unit-words.js";

const WORD = /[\p{L}\p{M}\p{N}'’]/u;
/** A stretch that is selected with the keys is complete after so long without a key. */
const KEYS_MS = 400;
const HINT = "Drag over the text, double-click a word, or hold Shift and press the arrow keys.";

/** @param {InsideStore} store */
export function mountUnitText(store) {
  const host = find("#unit-text");
  /** @type {InsideState["stretch"]} a stretch that is still being selected. */
  let draft = null;
  /** @type {number | null} where it began, if it is selected with the pointer. */
  let anchor = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const set = (values) => store.dispatch({ type: "set", values });

  const strip = new Strip(host, {
    hover: (hovered) => set({ hovered }),
    select(position, byKey) {
      // A click ends with the stretch that the pointer has drawn, if it has.
      if (byKey) set({ position, stretch: null });
    },
    extend(index) {
      const { position, stretch } = store.get();
      const now = draft ?? stretch;
      // The end that does not move is the one away from the selected character.
      const fixed = now && (position === now.from ? now.to - 1 : now.from);
      select(fixed ?? position ?? index, index);
      clearTimeout(timer);
      timer = setTimeout(complete, KEYS_MS);
    },
  });

  const draw = () => {
    const state = store.get();
    const { probe, position } = state;
    const stretch = draft ?? state.stretch;
    const unit = chosenUnit(state);
    setText(find("#unit-text-title"), titleOf(state, unit));
    if (!probe) return;
    const activations = activationsOf(probe);
    const coloured = unit?.layer === activations.layer ? unit.unit : null;
    const lacking = new Set(probe.unknown);
    strip.show(probe.characters, (i) => {
      const byte = coloured === null ? 0 : activations.bytes[i * activations.m + coloured];
      const tint = tintOf(byte);
      return [
        tint > 0 && `tint tint-${tint}`,
        tint < 0 && `tint tint-low-${-tint}`,
        lacking.has(i) && "unknown",
        stretch && i >= stretch.from && i < stretch.to && "in-stretch",
      ]
        .filter(Boolean)
        .join(" ");
    });
    strip.mark(position);
    setText(find("#unit-text-readout"), sentence(state, stretch, coloured));
  };

  /** Select from one character to another, both included; the second one can be moved. */
  const select = (fixed, moving) => {
    draft = { from: Math.min(fixed, moving), to: Math.max(fixed, moving) + 1 };
    set({ position: moving });
    draw();
  };

  /** The places in the corpus are searched for only when the stretch is complete. */
  const complete = () => {
    clearTimeout(timer);
    anchor = null;
    if (!draft) return;
    const stretch = draft;
    draft = null;
    set({ stretch });
  };

  host.addEventListener("pointerdown", (event) => {
    const at = Strip.indexOf(event.target);
    if (at === null || event.button !== 0) return;
    // Otherwise all moves of a finger would have the first character as their target.
    const { target, pointerId } = event;
    if (target.hasPointerCapture(pointerId)) target.releasePointerCapture(pointerId);
    const { position } = store.get();
    anchor = event.shiftKey && position !== null ? position : at;
    if (anchor === at) set({ position: at, stretch: null });
    else select(anchor, at);
  });
  host.addEventListener("pointermove", ({ target }) => {
    const at = anchor === null ? null : Strip.indexOf(target);
    if (anchor !== null && at !== null && (at !== anchor || draft)) select(anchor, at);
  });
  host.addEventListener("dblclick", () => {
    const { probe, position } = store.get();
    if (probe && position !== null) select(...wordAt(probe.characters, position));
    complete();
  });
  // The pointer may be released anywhere.
  document.addEventListener("pointerup", complete);
  document.addEventListener("pointercancel", complete);
  host.addEventListener("blur", complete);
  host.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !(draft ?? store.get().stretch)) return;
    event.preventDefault();
    draft = null;
    set({ stretch: null });
  });
  host.addEventListener("keyup", () => {
    // The readout changes with the training too, so it is not a live region itself.
    setText(find("#unit-text-live"), find("#unit-text-readout").textContent);
  });

  store.watch(
    (state) => [
      ...[state.probe, state.unit, state.unitList, state.position, state.stretch],
      state.hovered,
      state.run?.spec,
    ],
    draw,
  );
}

/**
 * The first and the last character of the word at a place, or only that character.
 *
 * @param {string[]} characters
 * @param {number} at
 * @returns {[number, number]}
 */
function wordAt(characters, at) {
  const isWord = (/** @type {number} */ i) => WORD.test(characters[i] ?? "");
  let [first, last] = [at, at];
  while (isWord(at) && isWord(first - 1)) first--;
  while (isWord(at) && isWord(last + 1)) last++;
  return [first, last];
}

/**
 * @param {InsideState} state
 * @param {InsideState["unit"]} unit
 */
function titleOf(state, unit) {
  if (!unit) return "The text, coloured by a unit";
  const feature = featureOf(state, unit);
  const title = unitTitle(unit, state.run?.spec.layers ?? 1);
  return feature ? `${title}: ${feature}` : title;
}

/**
 * What is selected, in a sentence.
 *
 * @param {InsideState} state
 * @param {InsideState["stretch"]} stretch
 * @param {number | null} unit
 */
function sentence({ probe, position, hovered }, stretch, unit) {
  if (!probe) return "";
  const at = hovered ?? (stretch ? null : position);
  if (at !== null && at < probe.characters.length && unit !== null) {
    const value = signed(activationAt(activationsOf(probe), at, unit));
    return `After ${characterWords(probe.characters[at])}: ${value}`;
  }
  if (!stretch || stretch.to > probe.characters.length) return HINT;
  return `Selected: ${stretchWords(probe.characters.slice(stretch.from, stretch.to))}`;
}
