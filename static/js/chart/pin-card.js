/**
 * The pinned update on the curve: a line, a card that describes its marks, and for the operator a
 * form to write a note.
 */

import * as api from "../net/api.js";
import { smoothAt } from "../curve/loss-curve.js";
import { el, find, icon } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { LIMITS } from "../lib/limits.js";
import { MARGIN, markedCurve, scalesOf } from "../curve/scales.js";
import { marksOf, describeMark } from "./marks.js";
import { aboutRun, toast } from "../ui/toasts.js";

const LOW_ON_CHART = 0.72; // a curve below this share of the height leaves space only above it
const EDGE_PX = 8;

export class PinCard {
  #store;
  #sizeOf;
  #card = find("#pin-card");
  #line = find("#pin-line");
  #shown = ""; // the content of the card, so that it is rebuilt only when it changes
  // {note, before, update}: the note being edited, null for a new one; the update pinned before;
  // and the update of the note.
  #writing = null;

  /**
   * @param {WatchStore} store
   * @param {() => Size} sizeOf the size of the whole chart in pixels.
   */
  constructor(store, sizeOf) {
    this.#store = store;
    this.#sizeOf = sizeOf;
    find("#chart").addEventListener("drawn", () => this.#show());
    store.watch(
      (state) => [state.pinned, state.milestones, state.checkpoints, state.runId],
      () => this.#show(),
    );
  }

  /** Write a note at the hovered update, or else the pinned one, or else the current one. */
  write() {
    const { hovered, pinned, run } = this.#store.get();
    if (!run) return;
    const update = Math.min(hovered ?? pinned ?? run.update, run.update);
    this.#write(update, null);
  }

  /** Pin the next mark after the pinned update; the previous one for -1. */
  step(by) {
    const state = this.#store.get();
    const updates = marksOf(state)
      .filter(({ kind }) => kind !== "sample")
      .map(({ update }) => update);
    const from = state.pinned ?? Infinity;
    const next =
      by > 0
        ? updates.find((update) => update > from)
        : updates.findLast((update) => update < from);
    if (next !== undefined) this.#store.dispatch({ type: "pin", update: next });
  }

  #write(update, note) {
    this.#writing = { note, before: this.#store.get().pinned, update };
    this.#store.dispatch({ type: "pin", update });
    this.#show();
    find("input", this.#card).focus();
  }

  #stopWriting() {
    const { before } = this.#writing;
    this.#writing = null;
    this.#store.dispatch({ type: "pin", update: before });
    this.#show();
  }

  #show() {
    const state = this.#store.get();
    if (this.#writing && this.#writing.update !== state.pinned) this.#writing = null;
    const scales = scalesOf(state, this.#sizeOf());
    const x = state.pinned === null ? -1 : scales.updateToPixel(Math.max(state.pinned, 1));
    const inView = Boolean(state.run) && x >= 0 && x <= scales.width;
    this.#line.hidden = !inView;
    this.#card.hidden = !inView && !this.#writing;
    if (this.#card.hidden) {
      this.#shown = "";
      return;
    }
    this.#fill(state);
    this.#place(state, scales, Math.min(Math.max(x, 0), scales.width));
  }

  #fill({ pinned, operator, milestones, checkpoints, samples }) {
    const marks = marksOf({ milestones, checkpoints, samples }).filter(
      ({ update, kind }) => update === pinned && kind !== "sample",
    );
    const writing = this.#writing;
    const shown = JSON.stringify([pinned, operator, marks, writing]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const inside = writing
      ? [this.#form(pinned, writing.note)]
      : [this.#describe(pinned, marks, operator)];
    this.#card.replaceChildren(...inside);
  }

  #describe(update, marks, operator) {
    const descriptions = marks.length
      ? marks.map((mark) => this.#mark(mark, operator))
      : [el("span", { text: `update ${format.count(update)}` })];
    const note = el(
      "button",
      {
        type: "button",
        class: "button button-small",
        id: "note-add",
        "aria-keyshortcuts": "m",
        on: { click: () => this.#write(update, null) },
      },
      "Note",
      el("kbd", { "aria-hidden": "true", text: "m" }),
    );
    const away = iconButton("close", "Back to live", () =>
      this.#store.dispatch({ type: "pin", update: null }),
    );
    away.id = "pin-away";
    return el(
      "div",
      { class: "pin-words" },
      el("div", { role: "status" }, ...descriptions),
      ...(operator ? [note] : []),
      away,
    );
  }

  #mark(mark, operator) {
    const change = () => this.#write(mark.update, mark);
    const buttons =
      operator && mark.kind === "note"
        ? [
            iconButton("edit", "Edit this note", change),
            iconButton("trash", "Delete this note", () => this.#remove(mark)),
          ]
        : [];
    return el("p", { class: "pin-mark" }, el("span", { text: describeMark(mark) }), ...buttons);
  }

  #form(update, note) {
    const input = el("input", {
      type: "text",
      maxlength: LIMITS.note_characters,
      required: true,
      "aria-label": `Note at update ${format.count(update)}`,
      placeholder: `note at update ${format.count(update)}`,
      value: note?.text ?? "",
    });
    const submit = (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (text) this.#save(update, note, text);
    };
    const form = el(
      "form",
      { class: "pin-form", on: { submit } },
      input,
      el("button", { class: "button button-small button-primary", text: "Save" }),
      iconButton("close", "Cancel", () => this.#stopWriting()),
    );
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.#stopWriting();
    });
    return form;
  }

  async #save(update, note, text) {
    const { runId, run: about } = this.#store.get();
    const saved = await orToast(() =>
      note ? api.changeNote(runId, note.id, text) : api.addNote(runId, update, text),
    );
    if (!saved) return;
    if (this.#writing) this.#stopWriting();
    if (note) {
      const run = () => orToast(() => api.changeNote(runId, note.id, note.text));
      toast(aboutRun(about, "Note changed."), { label: "Undo", run });
    }
  }

  async #remove({ id, update, text }) {
    const { runId, run: about } = this.#store.get();
    const removed = await orToast(async () => {
      await api.removeNote(runId, id);
      return true;
    });
    const run = () => orToast(() => api.addNote(runId, update, text));
    if (removed) toast(aboutRun(about, "Note deleted."), { label: "Undo", run });
  }

  /** Place the card above or below the curve, within the plot. */
  #place(state, scales, x) {
    const loss = smoothAt(markedCurve(state), state.pinned);
    const y = loss === null ? 0 : scales.lossToPixel(loss);
    this.#line.style.transform = `translateX(${MARGIN.l + x}px)`;
    this.#card.dataset.side = y > scales.height * LOW_ON_CHART ? "top" : "bottom";
    const width = this.#card.offsetWidth;
    const most = MARGIN.l + scales.width + MARGIN.r - width - EDGE_PX;
    const left = Math.max(EDGE_PX, Math.min(MARGIN.l + x - width / 2, most));
    this.#card.style.translate = `${Math.round(left)}px 0`;
  }
}

const iconButton = (name, words, click) =>
  el(
    "button",
    {
      type: "button",
      class: "button button-small button-square button-plain",
      "aria-label": words,
      title: words,
      on: { click },
    },
    icon(name),
  );

/** The server's answer; null if it refuses, which a toast reports. */
async function orToast(ask) {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    toast(error.message);
    return null;
  }
}
