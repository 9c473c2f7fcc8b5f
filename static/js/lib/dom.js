/** Helpers for the DOM. Text is always inserted as text nodes, never as HTML. */

/**
 * The first element within `root` that matches `selector`.
 *
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any} an element; typed loosely, since the selector does not tell its kind.
 * @throws {Error} when the page has no such element.
 */
export function find(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`The page lacks ${selector}`);
  return element;
}

/**
 * The address of a path on the server, which may be under a prefix (`HURRAH_ROOT_PATH`).
 *
 * @param {string} path begins with a slash.
 */
export const rooted = (path) => `${document.documentElement.dataset.root ?? ""}${path}`;

/** The focused element, or null. @returns {HTMLElement | null} */
export const focusedElement = () =>
  document.activeElement instanceof HTMLElement ? document.activeElement : null;

/**
 * All radio buttons of a group.
 *
 * @param {string} name
 * @returns {HTMLInputElement[]}
 */
export const radios = (name) => [
  .../** @type {NodeListOf<HTMLInputElement>} */ (
    document.querySelectorAll(`input[type=radio][name="${name}"]`)
  ),
];

/**
 * Create an element.
 *
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `class`, `text`, `on` (`{event: handler}`), or any
 *   attribute; `true` sets an empty attribute; `false`, `null` and `undefined` omit it.
 * @param {...(Node | string)} children strings become text nodes.
 * @returns {any} an element; typed loosely, since the tag does not tell its kind.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name === "on") {
      for (const [event, handler] of Object.entries(value))
        element.addEventListener(event, handler);
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * Create an SVG element.
 *
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Node} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * One of the icons in templates/icons.html.
 *
 * @param {string} name
 */
export function icon(name) {
  const use = svg("use", { href: `#icon-${name}` });
  return svg("svg", { class: "icon", "aria-hidden": "true" }, use);
}

/**
 * Set the text of an element only if it changes, so that an unchanged figure costs no layout.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Make `items` the children of an element. Those in the right place are not moved: that would cost
 * a layout, and end a click that is under way. The focus stays in one that is moved.
 *
 * @param {Element} parent
 * @param {Element[]} items
 */
export function setChildren(parent, items) {
  const kept = new Set(items);
  const focused = focusedElement();
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let there = parent.firstElementChild;
  for (const item of items) {
    if (item === there) there = there.nextElementSibling;
    else parent.insertBefore(item, there);
  }
  const lost = focused !== focusedElement();
  if (focused && lost && parent.contains(focused)) focused.focus({ preventScroll: true });
}

/**
 * A function that scrolls an element back to its top. It does nothing, and causes no layout, if the
 * element was not scrolled since.
 *
 * @param {Element} element
 */
export function scrollToTopOf(element) {
  let scrolled = false;
  element.addEventListener("scroll", () => (scrolled = true), { passive: true });
  return () => {
    if (scrolled) element.scrollTop = 0;
    scrolled = false;
  };
}

const DEFAULT_TEXT_PX = 16;
const textPx = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
let measuredPx = textPx();

/** Measure the text size again: the layout has changed it. */
export function measureText() {
  measuredPx = textPx();
}

/**
 * A length in pixels at the default text size, enlarged to the text size of the browser's settings.
 *
 * @param {number} px
 */
export const textScaled = (px) => (px * measuredPx) / DEFAULT_TEXT_PX;

export const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Animate an element, unless the user prefers reduced motion.
 *
 * @param {Element} element
 * @param {Keyframe[]} frames
 * @param {KeyframeAnimationOptions} options
 * @returns {Animation | null}
 */
export function animate(element, frames, options) {
  return reducedMotion.matches ? null : element.animate(frames, options);
}
