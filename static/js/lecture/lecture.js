/**
 * A lecture on one page: it sends what the presenter looks at, or shows it.
 *
 * A page that presents shows the views of other presenters, too: a tablet can lead the projector's
 * computer. The view of a viewer who changes it stays as it is until he follows again.
 */

import * as api from "../net/api.js";
import { find, rooted, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { LiveSocket } from "../net/live-socket.js";
import { LectureDialog } from "./dialog.js";
import { addressView } from "./page-view.js";
import { PresenterPointer, ShownPointer } from "./pointer.js";
import { readSession, takeFromAddress, writeSession } from "./session.js";

const SEND_EVERY_MS = 50;
// A change so soon after a touch, a key or the wheel is the user's.
const INPUT_MS = 1500;
const MAX_POINTED = 50;
const INPUTS = ["pointerdown", "pointerup", "keydown", "wheel", "touchmove"];

/** @param {import("./page-view.js").PageView} [page] */
export function mountLecture(page = addressView) {
  new Lecture(page, takeFromAddress());
}

class Lecture {
  #page;
  #session = readSession();
  #bar = find("#lecture");
  #shownPointer;
  #presenterPointer;
  /** @type {LiveSocket | null} */
  #socket = null;
  /** @type {string | null} the presenter's view. */
  #view = null;
  #presenters = 0;
  #viewers = 0;
  #connected = false;
  /** Whether the server has said who presents. */
  #known = false;
  /** @type {string | null} why the lecture is over. */
  #over = null;
  /** @type {string[]} views of this page that the server has not sent back yet. */
  #sent = [];
  #unsent = false;
  /** @type {string[]} pointers of this page that the server may not have sent back yet. */
  #pointed = [];
  /** Whether the curve shows the update at which another page points. */
  #hovers = false;
  #applying = false;
  #inputAt = -Infinity;
  #appliedAt = -Infinity;
  #sentAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {string | null} what the page showed when it last followed. */
  #settled = null;

  /**
   * @param {import("./page-view.js").PageView} page
   * @param {boolean} joined whether the address was a link of the lecture.
   */
  constructor(page, joined) {
    this.#page = page;
    const curve = page.curve ?? null;
    this.#shownPointer = new ShownPointer(curve);
    this.#presenterPointer = new PresenterPointer((pointer) => this.#point(pointer), curve);
    const opened = this.#session?.target;
    if (this.#session && opened !== null && opened !== undefined) {
      // The presenter's view, or else a page that a viewer has chosen.
      const path = new URL(rooted(opened), location.origin).pathname;
      if (path !== location.pathname) this.#session.following = false;
      this.#save({ target: null });
    } else if (this.#session && !this.#presents && !joined && !wasReloaded()) {
      this.#save({ following: false });
    }
    for (const name of INPUTS) {
      document.addEventListener(name, (event) => this.#noteInput(event), {
        capture: true,
        passive: true,
      });
    }
    page.watch(() => this.#pageChanged());
    find("#lecture-follow").addEventListener("click", () => this.#follow());
    find("#lecture-leave").addEventListener("click", () => this.leave());
    new LectureDialog({
      session: () => this.#session,
      join: (id, key) => this.#join(id, key),
      leave: () => this.leave(),
    });
    if (this.#session) this.#connect();
    this.#draw();
  }

  get #presents() {
    return this.#session?.key != null;
  }

  /** @param {Partial<import("./session.js").Session>} values */
  #save(values) {
    if (!this.#session) return;
    Object.assign(this.#session, values);
    writeSession(this.#session);
  }

  /** @type {(id: string, key: string) => void} */
  #join(id, key) {
    this.leave();
    this.#session = { id, key, following: true, target: null };
    writeSession(this.#session);
    this.#connect();
    this.#draw();
  }

  /** Follow no lecture any longer. */
  leave() {
    this.#socket?.close();
    this.#socket = null;
    this.#session = null;
    writeSession(null);
    [this.#view, this.#over, this.#connected, this.#sent] = [null, null, false, []];
    this.#known = false;
    this.#showPointer(null);
    this.#presenterPointer.setAllowed(false);
    this.#draw();
  }

  #connect() {
    const session = /** @type {import("./session.js").Session} */ (this.#session);
    // A page that the presenter has opened is what he looks at now.
    this.#unsent = this.#presents;
    this.#presenterPointer.setAllowed(this.#presents);
    this.#socket = new LiveSocket(api.lectureStream(session.id), {
      opened: () => this.#opened(),
      message: (message) => this.#receive(message),
      connection: (connection) => {
        this.#connected = connection.status === "live" || connection.status === "polling";
        if (connection.status === "gone") this.#end(connection.reason);
        this.#draw();
      },
    });
  }

  #opened() {
    if (!this.#presents) return;
    this.#sent = [];
    this.#socket?.send({ type: "present", key: this.#session?.key });
    if (this.#unsent) this.#sendView();
  }

  /** @param {string | null} reason */
  #end(reason) {
    this.#over = reason ?? "The lecture has ended.";
    this.#session = null;
    writeSession(null);
    this.#showPointer(null);
    this.#presenterPointer.setAllowed(false);
  }

  /** @param {LectureMessage} message */
  #receive(message) {
    if (message.type === "snapshot") {
      this.#known = true;
      this.#presenters = message.presenters;
      this.#viewers = message.viewers;
      this.#receivePointer(message.pointer);
      // The server has forgotten it after a restart.
      if (message.view === null) this.#sendView();
      else if (!this.#unsent) this.#receiveView(message.view);
    } else if (message.type === "view") {
      this.#receiveView(message.view);
    } else if (message.type === "pointer") {
      this.#receivePointer(message.pointer);
    } else if (message.type === "presenters") {
      this.#presenters = message.presenters;
    } else if (message.type === "viewers") {
      this.#viewers = message.viewers;
    }
    this.#draw();
  }

  /** @param {string} view */
  #receiveView(view) {
    this.#view = view;
    const at = this.#sent.indexOf(view);
    if (at >= 0) this.#sent.splice(0, at + 1);
    else if (!this.#sent.length && (this.#session?.following || this.#presents)) this.#show(view);
  }

  /** @param {string} view */
  #show(view) {
    const { origin, pathname, search } = new URL(rooted(view), location.origin);
    if (origin !== location.origin) return;
    this.#appliedAt = performance.now();
    if (view !== this.#page.current()) {
      if (pathname !== location.pathname || !this.#page.apply) {
        this.#save({ target: view });
        location.replace(rooted(view));
        return;
      }
      this.#applying = true;
      this.#page.apply(search);
      this.#applying = false;
    }
    this.#settled = this.#page.current();
  }

  #pageChanged() {
    if (!this.#session || this.#applying) return;
    const view = this.#page.current();
    if (view === null) return;
    const users = this.#inputAt > this.#appliedAt && performance.now() - this.#inputAt < INPUT_MS;
    if (this.#presents) {
      // What follows from another presenter's view is not sent back.
      const after = performance.now() - this.#appliedAt < INPUT_MS;
      if ((users || !after || this.#unsent) && view !== this.#view) this.#sendSoon();
    } else if (this.#session.following && users && view !== this.#settled) {
      this.#stopFollowing();
    } else {
      this.#settled = view;
    }
  }

  #sendSoon() {
    this.#unsent = true;
    const waitMs = this.#sentAt + SEND_EVERY_MS - performance.now();
    clearTimeout(this.#timer);
    if (waitMs <= 0) this.#sendView();
    else this.#timer = setTimeout(() => this.#sendView(), waitMs);
  }

  #sendView() {
    const view = this.#page.current();
    if (!this.#presents || view === null) return;
    if (!this.#socket?.send({ type: "view", view })) return;
    this.#unsent = false;
    this.#sentAt = performance.now();
    if (view !== this.#view) this.#sent.push(view);
    this.#view = view;
  }

  /** @param {LecturePointer | null} pointer */
  #point(pointer) {
    this.#shownPointer.show(pointer);
    if (!this.#socket?.send({ type: "pointer", pointer })) return;
    this.#pointed.push(valuesOf(pointer));
    if (this.#pointed.length > MAX_POINTED) this.#pointed.shift();
  }

  /** @param {LecturePointer | null} pointer */
  #receivePointer(pointer) {
    const at = this.#pointed.indexOf(valuesOf(pointer));
    if (at >= 0) this.#pointed.splice(0, at + 1);
    else this.#showPointer(pointer);
  }

  /**
   * Show where another page points, and the sample there on a page that follows.
   *
   * @param {LecturePointer | null} pointer
   */
  #showPointer(pointer) {
    const follows = this.#presents || this.#session?.following === true;
    this.#shownPointer.show(pointer, follows);
    const update = follows && pointer?.kind === "curve" ? Math.round(pointer.update) : null;
    if (update !== null || this.#hovers) this.#page.curve?.hover(update);
    this.#hovers = update !== null;
  }

  /** Look around alone. */
  #stopFollowing() {
    this.#save({ following: false });
    if (this.#hovers) this.#page.curve?.hover(null);
    this.#hovers = false;
    this.#draw();
  }

  /** @param {Event} event */
  #noteInput(event) {
    if (this.#bar.contains(/** @type {Node} */ (event.target))) return;
    if (event.isTrusted) this.#inputAt = performance.now();
  }

  /** Show the presenter's view, and follow it from now on. */
  #follow() {
    this.#save({ following: true });
    if (this.#view !== null) this.#show(this.#view);
    this.#draw();
    find("#main").focus();
  }

  #draw() {
    const shown = this.#session !== null || this.#over !== null;
    this.#bar.hidden = !shown;
    document.documentElement.toggleAttribute("data-lecture", shown);
    if (!shown) return;
    const looksAround = this.#session !== null && !this.#presents && !this.#session.following;
    this.#bar.dataset.state = this.#over ? "over" : looksAround ? "around" : "following";
    const alone = this.#known && !this.#presents && !this.#presenters;
    const lost = this.#known && !this.#connected;
    this.#bar.toggleAttribute("data-usual", !this.#over && !looksAround && !alone && !lost);
    setText(find("#lecture-state"), this.#sentence(looksAround));
    setText(find("#lecture-count"), this.#presents ? this.#countSentence() : "");
    find("#lecture-follow").hidden = !looksAround;
    for (const each of this.#bar.querySelectorAll("[data-presenter]")) {
      each.hidden = !this.#presents;
    }
    const leave = this.#presents ? "Stop presenting on this device" : "Leave the lecture";
    find("#lecture-leave").setAttribute("aria-label", leave);
    find("#lecture-leave").title = leave;
  }

  /** @param {boolean} looksAround */
  #sentence(looksAround) {
    if (this.#over) return this.#over;
    if (!this.#connected) return "Connecting to the lecture.";
    if (this.#presents) return "Presenting";
    const what = looksAround ? "Looking around" : "Following the presenter";
    return this.#presenters ? what : `${what}. The presenter is not connected.`;
  }

  #countSentence() {
    // This page presents, even if the server does not know it yet.
    const others = Math.max(this.#viewers - Math.max(this.#presenters, 1), 0);
    return `${format.count(others)} ${others === 1 ? "viewer" : "viewers"}`;
  }
}

/**
 * A pointer as a text, in an order of its fields that does not depend on the server's.
 *
 * @param {LecturePointer | null} pointer
 */
const valuesOf = (pointer) => JSON.stringify(pointer && Object.entries(pointer).sort());

/** Whether the page was opened by a reload, and not by a link or the Back button. */
function wasReloaded() {
  const [entry] = performance.getEntriesByType("navigation");
  return /** @type {PerformanceNavigationTiming} */ (entry)?.type === "reload";
}
