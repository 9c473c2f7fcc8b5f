/** The chart of the gradient's norm against the steps back in time, on a logarithmic axis. */

import { el, svg } from "../../lib/dom.js";

/** The least power of ten on the axis: what is less cannot be told from nothing. */
const LEAST_POWER = -8;
/** The greatest power is one of 1, 5, 9, ..., so that the axis seldom changes. */
const POWER_STEP = 4;
const MOST_TICKS = 6;
const LAG_STEP = 20;

/** @typedef {{ slot: string, norms: (number | null)[] }} Line */

export class MemoryChart {
  #plot;
  #lines = svg("g");
  #noChange = el("span", { class: "memory-rule memory-no-change" });
  #carried = el("span", { class: "memory-rule memory-carried" });
  #lag = el("span", { class: "memory-rule memory-lag-rule" });
  #ticks = el("div", { class: "memory-ticks" });
  #most = NaN;
  #lags = 1;

  /**
   * @param {HTMLElement} plot
   * @param {(lag: number) => void} pointed called with the steps back that the pointer is at.
   */
  constructor(plot, pointed) {
    this.#plot = plot;
    const box = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, this.#lines);
    box.setAttribute("aria-hidden", "true");
    this.#noChange.append(el("span", { text: "no change" }));
    this.#carried.append(el("span"));
    const area = el("div", { class: "memory-area" }, box, this.#noChange, this.#carried, this.#lag);
    plot.append(this.#ticks, area);
    const point = (/** @type {PointerEvent} */ event) => {
      const { left, width } = area.getBoundingClientRect();
      const share = Math.min(Math.max((event.clientX - left) / width, 0), 1);
      pointed(Math.round(share * this.#lags));
    };
    area.addEventListener("pointermove", (event) => event.pointerType === "mouse" && point(event));
    area.addEventListener("pointerdown", point);
  }

  /**
   * @param {Line[]} lines norms 0, 1, 2, ... steps back; they are drawn as shares of the first.
   * @param {number} carried how many steps back the training carries gradients.
   */
  show(lines, carried) {
    const shares = lines.map(({ norms }) => norms.map((norm) => powerOf(norm, norms[0])));
    this.#lags = Math.max(1, ...lines.map(({ norms }) => norms.length - 1));
    const highest = Math.max(0, ...shares.flat().filter(Number.isFinite));
    this.#setMost(1 + POWER_STEP * Math.ceil(Math.max(highest - 1, 0) / POWER_STEP));
    this.#lines.replaceChildren(
      ...lines.map(({ slot }, i) =>
        svg("path", { class: `memory-line memory-line-${slot}`, d: this.#path(shares[i]) }),
      ),
    );
    place(this.#noChange, "--y", this.#y(0) / 100);
    place(this.#carried, "--x", carried / this.#lags);
    this.#carried.hidden = carried > this.#lags;
    this.#carried.dataset.side = carried > this.#lags / 2 ? "left" : "right";
    const [words] = this.#carried.children;
    words.textContent = `training carries gradients ${carried} steps back`;
  }

  /** @param {number} lag the steps back that are read off. */
  mark(lag) {
    place(this.#lag, "--x", lag / this.#lags);
  }

  /** @param {number} most the greatest power of ten on the axis. */
  #setMost(most) {
    const drawn = `${most} ${this.#lags}`;
    if (this.#plot.dataset.axes === drawn) return;
    this.#plot.dataset.axes = drawn;
    this.#most = most;
    const step = [1, 2, 4, 8, 16].find((each) => (most - LEAST_POWER) / each < MOST_TICKS) ?? 32;
    const powers = [];
    for (let power = LEAST_POWER; power <= most; power += step) powers.push(power);
    const lags = Array.from({ length: Math.floor(this.#lags / LAG_STEP) + 1 }, (_, i) => i);
    this.#ticks.replaceChildren(
      ...powers.map((power) => {
        const text = power ? ["10", el("sup", { text: String(power).replace("-", "−") })] : ["1"];
        const tick = el("span", { class: "memory-y-tick" }, ...text);
        return place(tick, "--y", this.#y(power) / 100);
      }),
      ...lags.map((i) => {
        const tick = el("span", { class: "memory-x-tick", text: String(i * LAG_STEP) });
        return place(tick, "--x", (i * LAG_STEP) / this.#lags);
      }),
    );
  }

  /** @param {number} power of ten. */
  #y(power) {
    return (100 * (this.#most - power)) / (this.#most - LEAST_POWER);
  }

  /** @param {number[]} powers of ten. */
  #path(powers) {
    const points = powers.map((power, lag) => {
      const y = Math.min(Math.max(this.#y(power), -10), 110);
      return Number.isNaN(y) ? "" : `${(100 * lag) / this.#lags} ${y.toFixed(2)}`;
    });
    return `M${points.filter(Boolean).join("L")}`;
  }
}

/**
 * The power of ten of a norm as a share of the first; minus infinity for 0.
 *
 * @param {number | null} norm
 * @param {number | null} first
 */
const powerOf = (norm, first) => (norm === null || !first ? NaN : Math.log10(norm / first));

/**
 * @param {HTMLElement} element
 * @param {"--x" | "--y"} axis
 * @param {number} share of the width or of the height.
 */
function place(element, axis, share) {
  element.style.setProperty(axis, String(share));
  return element;
}
