/** Small helpers over the DOM. Text always goes in as text nodes, never as HTML. */

/** The first element that matches `selector` within `root`; throws when the page lacks it. */
export function find(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`The page lacks ${selector}`);
  return element;
}

/**
 * Make an element.
 *
 * @param {string} tag
 * @param {Object} [attributes] `class`, `text`, `on` (`{event: handler}`), or any attribute;
 *   `true` sets an empty attribute, `false`, `null` and `undefined` leave it out.
 * @param {...(Node|string)} children strings become text nodes.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Make an SVG element with the given attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** One of the page's own icons (the symbols stand in the template). */
export function icon(name) {
  const use = svg("use", { href: `#icon-${name}` });
  return svg("svg", { class: "icon", "aria-hidden": "true" }, use);
}

/** Set the text of an element only when it differs, so that a still figure costs nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A deed that scrolls back to the top; where nobody has scrolled it costs nothing, not a layout. */
export function scrollToTopOf(element) {
  let scrolled = false;
  element.addEventListener("scroll", () => (scrolled = true), { passive: true });
  return () => {
    if (scrolled) element.scrollTop = 0;
    scrolled = false;
  };
}

export const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Animate unless the reader asked for stillness; returns the Animation or null. */
export function animate(element, frames, options) {
  return reducedMotion.matches ? null : element.animate(frames, options);
}
