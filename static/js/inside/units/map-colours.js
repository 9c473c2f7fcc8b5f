/** The colours of activations on a canvas: blue below zero, the page's accent colour above. */

import { resolve } from "../../lib/theme.js";
import { FULL } from "./activations.js";

const NAMES = {
  zero: "--card",
  high: "--accent",
  low: "--series-2",
  ink: "--ink",
  soft: "--soft",
  wash: "--accent-wash",
  accent: "--accent-ink",
};

/** @type {Map<string, any>} by theme. */
const known = new Map();

/**
 * The colours of a theme: `cells` has one for each byte from -127 to 127.
 *
 * @param {string} theme
 */
export function mapColours(theme) {
  let found = known.get(theme);
  if (!found) {
    const colours = resolve(NAMES);
    const [zero, high, low] = [colours.zero, colours.high, colours.low].map(channels);
    const cells = Array.from({ length: 2 * FULL + 1 }, (_, i) => {
      const share = (i - FULL) / FULL;
      const mixed = zero.map((from, channel) => {
        const to = (share > 0 ? high : low)[channel];
        return Math.round(from + (to - from) * Math.abs(share));
      });
      return `rgb(${mixed.join(" ")})`;
    });
    const style = getComputedStyle(document.documentElement);
    const fonts = {
      sans: style.getPropertyValue("--sans"),
      serif: style.getPropertyValue("--serif"),
    };
    found = { ...colours, ...fonts, cells };
    known.set(theme, found);
  }
  return found;
}

/** The red, green and blue of a resolved colour. @param {string} colour */
const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
