/** The likeliest next characters as bars, reshaped by a temperature. */

import { el, find, setText } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { characterLabel } from "../../standalone/characters.js";
import { lookedAt } from "../state/selection.js";

const ROWS = 5;

/** @param {InsideStore} store */
export function mountLikeliest(store) {
  const rows = Array.from({ length: ROWS }, () => {
    const [name, bar, share] = [el("bdi"), el("span", { class: "bar" }), el("span")];
    share.className = "share";
    return { row: el("li", {}, name, bar, share), name, bar, share };
  });
  find("#text-likeliest").replaceChildren(...rows.map(({ row }) => row));

  const slider = find("#text-temperature");
  slider.addEventListener("input", () =>
    store.dispatch({ type: "set", values: { temperature: slider.valueAsNumber } }),
  );
  store.watch(
    (state) => [state.temperature],
    (temperature) => {
      slider.value = String(temperature);
      setText(find("#text-temperature-value"), format.fine(temperature));
    },
  );
  store.watch(
    (state) => [state.probe, lookedAt(state)],
    (probe, index) => {
      if (!probe) return;
      const next = probe.characters[index + 1];
      const top = probe.top[index];
      rows.forEach(({ row, name, bar, share }, i) => {
        const [character, p] = top[i] ?? ["", 0];
        const label = character && characterLabel(character);
        setText(name, label);
        name.className = [...label].length > 2 ? "named" : "";
        bar.style.setProperty("--share", p.toFixed(4));
        setText(share, character ? format.probability(p) : "");
        row.dataset.actual = String(Boolean(character) && character === next);
      });
      setText(find("#text-next"), nextSentence(probe, index));
    },
  );
}

/** What follows in the text, and its probability. @param {Probe} probe @param {number} index */
function nextSentence({ characters, probability, unknown }, index) {
  if (index + 1 >= characters.length) return "The text ends here.";
  const name = `\u2068${characterLabel(characters[index + 1])}\u2069`;
  if (unknown.includes(index + 1)) return `In the text: ${name}, which the network does not know.`;
  const p = probability[index + 1];
  return `In the text: ${name}${p === null ? "" : `, ${format.probability(p)}`}.`;
}
