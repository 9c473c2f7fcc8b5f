/** The heatmaps of all parameters on one colour scale, with a legend. */

import { colourOf, SMALLEST, powerText } from "./relative-errors.js";
import { el, find, radios, setText } from "../lib/dom.js";
import { onPrint } from "../lib/print.js";
import { colours, onTheme } from "../lib/theme.js";
import { HeatMap } from "./heatmap.js";

const LEGEND_CELLS = 24;

export class HeatMaps {
  #host = find("#check-maps");
  #readout = find("#check-readout");
  #hint = find("#check-readout").textContent;
  #methods = radios("method"); // none if there is only one
  #check = null;
  #maps = [];

  constructor() {
    for (const input of this.#methods) input.addEventListener("change", () => this.#draw());
    onTheme(() => this.#draw());
    onPrint(() => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(this.#host);
  }

  /**
   * Show the errors of a gradient check.
   *
   * @param {{parameters: import("./heatmap.js").MappedParameter[],
   *   thresholds: Record<string, number>}} check
   */
  show(check) {
    this.#check = check;
    const describe = (sentence) => setText(this.#readout, sentence ?? this.#hint);
    describe(null);
    this.#maps = check.parameters.map((parameter) => new HeatMap(parameter, describe));
    this.#host.replaceChildren(...this.#maps.map(({ element }) => element));
    this.#draw();
  }

  #draw() {
    if (!this.#check) return;
    const method =
      this.#methods.find(({ checked }) => checked)?.value ?? Object.keys(this.#check.thresholds)[0];
    const threshold = this.#check.thresholds[method];
    const cell = HeatMap.cellFor(this.#check.parameters, this.#host.clientWidth);
    const palette = colours();
    for (const map of this.#maps) map.show({ method, threshold, colours: palette, cell });
    drawLegend(threshold, palette);
  }
}

function drawLegend(threshold, palette) {
  const decades = Math.log10(1 / SMALLEST);
  const cells = Array.from({ length: LEGEND_CELLS }, (_, i) => {
    const cell = el("i", {});
    const error = SMALLEST * 10 ** (((i + 0.5) / LEGEND_CELLS) * decades);
    cell.style.backgroundColor = colourOf(error, threshold, palette);
    return cell;
  });
  const edge = el("span", { class: "check-legend-edge", text: powerText(threshold) });
  edge.style.insetInlineStart = `${(Math.log10(threshold / SMALLEST) / decades) * 100}%`;
  find("#check-legend").replaceChildren(
    el("div", { class: "check-legend-strip" }, ...cells),
    el("span", { text: powerText(SMALLEST) }),
    edge,
    el("span", { text: "1" }),
  );
}
