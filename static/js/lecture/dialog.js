/** The dialog of a lecture: start, links and QR code, end. */

import * as api from "../net/api.js";
import { find, rooted, setText } from "../lib/dom.js";
import { copyText } from "../ui/copy.js";
import { toast } from "../ui/toasts.js";
import { readStarted, rememberStarted } from "./session.js";

export class LectureDialog {
  #lecture;
  #dialog = find("#lecture-dialog");
  #urls = { viewer: "", presenter: "" };
  /** @type {string | null} the id of the lecture whose links are shown. */
  #id = null;

  /**
   * @param {Object} lecture
   * @param {() => import("./session.js").Session | null} lecture.session
   * @param {(id: string, key: string) => void} lecture.join presents.
   * @param {() => void} lecture.leave
   */
  constructor(lecture) {
    this.#lecture = lecture;
    for (const button of document.querySelectorAll("[data-lecture-dialog]")) {
      button.addEventListener("click", () => this.#open());
    }
    find("#lecture-start").addEventListener("click", () => this.#start());
    find("#lecture-again").addEventListener("click", () => this.#presentAgain());
    find("#lecture-end").addEventListener("click", () => this.#end());
    find("#lecture-copy-viewer").addEventListener("click", () =>
      copyText(this.#urls.viewer, "The viewer link was copied."),
    );
    find("#lecture-copy-presenter").addEventListener("click", () =>
      copyText(this.#urls.presenter, "The presenter link was copied. It lets anyone present."),
    );
  }

  async #open() {
    const session = this.#lecture.session();
    const started = session?.key ? null : readStarted();
    const again = started && (await api.nullOnProblem(api.getLecture(started.id)));
    find("#lecture-again").hidden = !again;
    const run = new URLSearchParams(location.search).get("run");
    const query = run === null ? "" : `?run=${encodeURIComponent(run)}`;
    find("#lecture-game").href = rooted("/guess") + query;
    this.#showLinks(session?.key ? await api.nullOnProblem(api.getLecture(session.id)) : null);
    this.#dialog.showModal();
  }

  async #start() {
    await this.#answered(async () => {
      const lecture = await api.startLecture();
      rememberStarted({ id: lecture.id, key: lecture.key });
      this.#lecture.join(lecture.id, lecture.key);
      this.#showLinks(lecture);
    });
  }

  async #presentAgain() {
    const started = readStarted();
    if (!started) return;
    await this.#answered(async () => {
      const links = await api.getLecture(started.id);
      this.#lecture.join(started.id, started.key);
      this.#showLinks(links);
    });
  }

  async #end() {
    const id = this.#id;
    if (id === null) return;
    await this.#answered(async () => {
      await api.endLecture(id);
      rememberStarted(null);
      this.#lecture.leave();
      this.#dialog.close();
      toast("The lecture has ended.");
    });
  }

  /** @param {() => Promise<void>} action */
  async #answered(action) {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
    }
  }

  /** @param {LectureLinks | null} links */
  #showLinks(links) {
    const key = this.#lecture.session()?.key;
    const shown = links !== null && key != null;
    find("#lecture-intro").hidden = shown;
    find("#lecture-links").hidden = !shown;
    find("#lecture-end").hidden = !shown || document.body.dataset.operator !== "true";
    if (!shown) return;
    this.#id = links.id;
    this.#urls = { viewer: links.viewer_url, presenter: `${links.viewer_url}#present=${key}` };
    setText(find("#lecture-url"), links.viewer_url.replace(/^https?:\/\//, ""));
    find("#lecture-unreachable").hidden = links.reachable;
    const image = find("#lecture-qr");
    image.src = rooted(api.qrCodeOf(links.id));
    image.alt = `QR code of ${links.viewer_url}`;
  }
}
