/** The loss of the best model on the test part: what it was, and the button that measures it. */

import { measureTestPart, Problem } from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { aboutRun, toast } from "../ui/toasts.js";

const DIGITS = 3;

/** @param {WatchStore} store */
export function mountTestPart(store) {
  const dialog = /** @type {HTMLDialogElement} */ (find("#test-dialog"));
  const measure = find("#test-part-measure");

  store.watch(
    (state) => [state.run],
    (run) => {
      find("#test-part").hidden = !run || run.spec.test_fraction === 0;
      if (!run) return;
      setText(find("#test-part-result"), resultSentence(run));
      setText(measure, run.test ? "Measure again" : "Measure");
      measure.disabled = run.best === null;
    },
  );

  measure.addEventListener("click", () => {
    const { run } = store.get();
    if (!run) return;
    const words = questionOf(run);
    setText(find("#test-title"), words.title);
    setText(find("#test-warning"), words.warning);
    setText(find("#test-cancel"), words.cancel);
    setText(find("#test-confirm"), words.confirm);
    dialog.returnValue = "";
    dialog.showModal();
    const answered = () => {
      if (dialog.returnValue === "measure") send(run);
    };
    dialog.addEventListener("close", answered, { once: true });
  });

  /** @param {Run} asked the run as it was when the question was asked. */
  async function send(asked) {
    measure.setAttribute("aria-busy", "true");
    try {
      const run = await measureTestPart(asked.id, asked.test !== null);
      store.dispatch({ type: "run", run });
      toast(aboutRun(run, resultSentence(run)));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(aboutRun(asked, error.message));
    } finally {
      measure.removeAttribute("aria-busy");
    }
  }
}

/**
 * "1.912 nats (2.758 bits) per character, by the best model, of update 12,000. Measured ..."
 *
 * @param {Run} run
 */
function resultSentence({ test, spec }) {
  if (!test) {
    const part = format.share(spec.test_fraction);
    return `The last ${part} of the text, which the network never reads. Not measured yet.`;
  }
  const by = test.by === "validation" ? "best model by validation" : "best model";
  const losses = `${test.nats.toFixed(DIGITS)} nats (${test.bits.toFixed(DIGITS)} bits)`;
  const often = test.times > 1 ? `${format.count(test.times)} times, last ` : "";
  const when = `${often}on ${format.dateAndTime(test.measured_at)}`;
  const at = format.count(test.update);
  return `${losses} per character, by the ${by}, of update ${at}. Measured ${when}.`;
}

/** @param {Run} run */
function questionOf({ test }) {
  if (!test) {
    return {
      title: "Measure the test part?",
      warning:
        "A test part is for one measurement, of the model that you hand in. Measure it when you" +
        " have stopped choosing: settings, the length of the training, and among runs.",
      cancel: "Not yet",
      confirm: "Measure",
    };
  }
  const often = test.times > 1 ? `${format.count(test.times)} times` : "once";
  return {
    title: "Measure the test part again?",
    warning:
      `It has been measured ${often}. Whoever measures, changes something and measures again` +
      " chooses by the test part, and its loss is then too low. The new result replaces the old" +
      " one, and the number of measurements is kept and shown.",
    cancel: "Keep the result",
    confirm: "Measure again",
  };
}
