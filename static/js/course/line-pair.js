/** A wrong line of code beside the right one. */

import { el } from "../lib/dom.js";

/** @param {{right: string, wrong: string}} pair */
export const linePair = ({ right, wrong }) =>
  el(
    "dl",
    { class: "course-lines" },
    ...[
      ["wrong", wrong],
      ["right", right],
    ].map(([side, line]) =>
      el(
        "div",
        { class: `course-${side}` },
        el("dt", { text: side }),
        el("dd", {}, el("code", { text: line })),
      ),
    ),
  );
