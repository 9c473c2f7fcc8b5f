/**
 * Places in a text, as the index of a character: lines are broken elsewhere in another window.
 */

// Texts that are the same on all pages that show the same view.
const TEXTS =
  ".prose, .text-strip, .passage-text, .lesson-text, .hold-text, .guess-text, .report-text";
// The text that is being replaced.
const OMITTED = ".prose-fading, .text-loading";
const ID = /^[\w-]{1,100}$/;
const SCROLLS = ["auto", "scroll"];

/**
 * The character below a pointer; null if there is none near it.
 *
 * @param {Element} target
 * @param {number} x
 * @param {number} y
 * @returns {PlaceInText | null}
 */
export function textPlaceAt(target, x, y) {
  const host = target.closest(TEXTS)?.closest("[id]");
  const caret = host && ID.test(host.id) && caretAt(x, y);
  if (!caret || !host.contains(caret.node)) return null;
  let before = 0;
  for (const node of textsIn(host)) {
    if (node === caret.node) {
      // The caret is between two characters.
      const at = before + caret.offset;
      const found = [at - 1, at].map((index) => ({ index, box: boxOfCharacter(host, index) }));
      const near = found.filter(({ box }) => box && distance(box, x, y) <= box.height);
      near.sort((a, b) => distance(a.box, x, y) - distance(b.box, x, y));
      return near.length ? { kind: "text", target: host.id, index: near[0].index } : null;
    }
    before += node.data.length;
  }
  return null;
}

/**
 * Where a character is in the window; null if it is not in view.
 *
 * @param {PlaceInText} place
 * @param {boolean} scroll whether a text with a scroll bar of its own may be scrolled to it.
 */
export function locateText({ target, index }, scroll) {
  const host = document.getElementById(target);
  const found = host && boxOfCharacter(host, index);
  if (!found) return null;
  const frame = scrollerOf(host);
  if (!frame) return centreOf(found);
  const view = frame.getBoundingClientRect();
  const hidden = found.top < view.top || found.bottom > view.bottom;
  if (hidden && scroll) frame.scrollTop += centreOf(found).y - centreOf(view).y;
  const box = hidden && scroll ? boxOfCharacter(host, index) : found;
  const centre = box && centreOf(box);
  return centre && centre.y >= view.top && centre.y <= view.bottom ? centre : null;
}

/** @type {(box: DOMRect) => {x: number, y: number}} */
const centreOf = ({ left, top, width, height }) => ({ x: left + width / 2, y: top + height / 2 });

/**
 * The element that scrolls a text: the text's own, one around it, or one in it.
 *
 * @param {Element} host
 */
function scrollerOf(host) {
  for (let each = /** @type {Element | null} */ (host); each; each = each.parentElement) {
    if (each === document.body) return null;
    const scrolls = SCROLLS.includes(getComputedStyle(each).overflowY);
    if (scrolls && each.scrollHeight > each.clientHeight) return each;
  }
  return null;
}

/** @param {Element} host */
function* textsIn(host) {
  const walker = document.createTreeWalker(host, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, {
    acceptNode: (node) =>
      node instanceof Element && node.matches(OMITTED)
        ? NodeFilter.FILTER_REJECT
        : NodeFilter.FILTER_ACCEPT,
  });
  while (walker.nextNode()) {
    if (walker.currentNode instanceof Text) yield walker.currentNode;
  }
}

/**
 * @param {Element} host
 * @param {number} index
 */
function boxOfCharacter(host, index) {
  if (index < 0) return null;
  let left = index;
  for (const node of textsIn(host)) {
    if (left < node.data.length) {
      const range = document.createRange();
      range.setStart(node, left);
      range.setEnd(node, left + 1);
      const box = range.getBoundingClientRect();
      return box.height ? box : null;
    }
    left -= node.data.length;
  }
  return null;
}

/**
 * @param {DOMRect} box
 * @param {number} x
 * @param {number} y
 */
function distance(box, x, y) {
  const across = Math.max(box.left - x, x - box.right, 0);
  const down = Math.max(box.top - y, y - box.bottom, 0);
  return Math.hypot(across, down);
}

/**
 * The place between two characters that is nearest to a point.
 *
 * @param {number} x
 * @param {number} y
 * @returns {{node: Node, offset: number} | null}
 */
function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const caret = document.caretPositionFromPoint(x, y);
    return caret && { node: caret.offsetNode, offset: caret.offset };
  }
  const range = document.caretRangeFromPoint?.(x, y);
  return range ? { node: range.startContainer, offset: range.startOffset } : null;
}
