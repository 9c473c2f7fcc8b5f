/** The server's HTTP interface, and its problem documents as errors. */

import { linesOf } from "../lib/ndjson.js";

/** An answer other than the one hoped for; `message` is the server's own sentence. */
export class Problem extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 when the server could not be reached.
   * @param {{field: string, message: string}[]} fields
   * @param {number} retryAfterS after how many seconds it may be asked again; 0: it did not say.
   */
  constructor(message, status = 0, fields = [], retryAfterS = 0) {
    super(message);
    this.retryAfterS = retryAfterS;
    this.name = "Problem";
    this.status = status;
    this.fields = fields;
  }
}

const UNREACHABLE = "The server can't be reached. Nothing was changed.";

const INTERRUPTED = "The connection was lost while it wrote.";

async function call(path, options) {
  const response = await send(path, options);
  if (response.status === 204) return null;
  return answer(response.status, await response.text());
}

async function send(path, { method = "GET", body, signal } = {}) {
  try {
    return await fetch(path, {
      method,
      signal,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(UNREACHABLE);
  }
}

function answer(status, text, retryAfterS = 0) {
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {
    // A proxy may answer with a page of its own; the status then speaks for it.
  }
  if (status >= 200 && status < 300 && document !== null) return document;
  throw new Problem(
    document?.detail || document?.title || `The server answered with status ${status}.`,
    status,
    document?.errors ?? [],
    retryAfterS,
  );
}

/** The server's time in milliseconds since 1970, or null when it can't be had. */
export async function serverTime() {
  try {
    return (await call("/healthz")).time * 1000;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return null;
  }
}

const run = (id, rest = "") => `/api/runs/${encodeURIComponent(id)}${rest}`;

export const listRuns = () => call("/api/runs");
export const createRun = (spec) => call("/api/runs", { method: "POST", body: spec });
export const changeRun = (id, change) => call(run(id), { method: "PATCH", body: change });
export const deleteRun = (id) => call(run(id), { method: "DELETE" });
export const pause = (id) => call(run(id, "/pause"), { method: "POST", body: {} });
export const resume = (id) => call(run(id, "/resume"), { method: "POST", body: {} });
export const stop = (id) => call(run(id, "/stop"), { method: "POST", body: {} });
export const step = (id, updates) => call(run(id, "/step"), { method: "POST", body: { updates } });
export const saveCheckpoint = (id) => call(run(id, "/checkpoints"), { method: "POST", body: {} });
export const estimateRun = (spec, signal) =>
  call("/api/estimate", { method: "POST", body: spec, signal });
export const forkRun = (id, checkpoint, spec) =>
  call(run(id, "/fork"), { method: "POST", body: { checkpoint, spec } });
export const deleteCheckpoint = (id, checkpoint) =>
  call(run(id, `/checkpoints/${encodeURIComponent(checkpoint)}`), { method: "DELETE" });
export const listCorpora = () => call("/api/corpora");
export const deleteCorpus = (id) =>
  call(`/api/corpora/${encodeURIComponent(id)}`, { method: "DELETE" });

/** The characters of a text from `from` up to, not including, `to`. */
export const getText = (id, from, to, signal) =>
  call(`/api/corpora/${encodeURIComponent(id)}/text?from=${from}&to=${to}`, { signal });

/** The promise's value; null where the server refuses or the request is aborted. */
export async function nullOnProblem(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") return null;
    throw error;
  }
}

/**
 * Have a passage written, or several; the answer comes when the last character is.
 *
 * @param {string} id
 * @param {Object} request
 * @param {(pieces: string[]) => void} onPieces called with what each text goes on with.
 * @param {AbortSignal} signal
 * @returns {Promise<Object[]>} the passages.
 */
export async function writePassages(id, request, onPieces, signal) {
  const path = run(id, "/passages?stream=true");
  const response = await send(path, { method: "POST", body: request, signal });
  if (!response.ok) {
    const after = Number(response.headers.get("Retry-After"));
    return answer(response.status, await response.text(), after > 0 ? after : 0);
  }
  let last = null;
  try {
    for await (const line of linesOf(response)) {
      if (line.pieces) onPieces(line.pieces);
      else last = line;
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(INTERRUPTED);
  }
  if (last === null) throw new Problem(INTERRUPTED);
  if (typeof last.status === "number") throw new Problem(last.detail, last.status, last.errors);
  return last.passages ?? [last];
}

/** Keep a passage that was written just now, by the fingerprint that came with it. */
export const savePassage = (id, fingerprint) =>
  call("/api/kept", { method: "POST", body: { run: id, fingerprint } });

/** Kept passages, newest first: of a run or of all, those kept before another. */
export function listSavedPassages({ run: ofRun = "", before = null, limit }) {
  const query = new URLSearchParams({ limit, ...(ofRun && { run: ofRun }), ...(before && { before }) });
  return call(`/api/kept?${query}`);
}

const kept = (id) => `/api/kept/${encodeURIComponent(id)}`;

export const getSavedPassage = (id) => call(kept(id));
export const renameSavedPassage = (id, title) => call(kept(id), { method: "PATCH", body: { title } });
export const deleteSavedPassage = (id) => call(kept(id), { method: "DELETE" });

/** Keep the model that wrote a passage, so that a link to the passage stays true. */
export const saveModel = (id, model) => call(run(id, "/models"), { method: "POST", body: { model } });

/** Every gradient of a random network against two numerical derivatives. */
export const checkGradients = (request, signal) =>
  call("/api/gradient-check", { method: "POST", body: request, signal });

/** How the errors of the numerical derivatives depend on their step. */
export const errorAgainstStep = (request, signal) =>
  call("/api/gradient-check/steps", { method: "POST", body: request, signal });

/**
 * Loss between two updates, both included, in at most `points` buckets; without `smoothing`, the
 * server smooths as the run does.
 */
export function getLoss(id, from, to, points, signal, smoothing = null) {
  const query = new URLSearchParams({ from, to, points, ...(smoothing !== null && { smoothing }) });
  return call(run(id, `/loss?${query}`), { signal });
}

export const addNote = (id, update, text) =>
  call(run(id, "/milestones"), { method: "POST", body: { update, text } });
export const changeNote = (id, note, text) =>
  call(run(id, `/milestones/${encodeURIComponent(note)}`), { method: "PATCH", body: { text } });
export const removeNote = (id, note) =>
  call(run(id, `/milestones/${encodeURIComponent(note)}`), { method: "DELETE" });

/** Samples from one update to another, at most `limit` of them. */
export const getSamples = (id, from, to, limit, signal) =>
  call(run(id, `/samples?from=${from}&to=${to}&limit=${limit}`), { signal });
/** When the smooth loss was first below a figure, in nats a sequence. */
export const getLossReached = (id, smoothLoss) =>
  call(run(id, `/loss/first-below?smooth_loss=${smoothLoss}`));

/**
 * What was read at an update, or at the greatest loss of a range, or at the newest update.
 *
 * @param {string} id
 * @param {{update?: number|null, range?: [number, number]|null}} at
 * @param {AbortSignal} signal
 */
export function getReading(id, { update, range }, signal) {
  const known = range ? { from: range[0], to: range[1] } : update === null ? {} : { update };
  return call(run(id, `/reading?${new URLSearchParams(known)}`), { signal });
}

/** The mean loss by position in the corpus, a row for each of `epochs`. */
export const getLossByPosition = (id, epochs, signal) =>
  call(run(id, `/loss/positions?epochs=${epochs.join(",")}`), { signal });

/** Whether the loss goes up and down with the pages, or with the start of each epoch. */
export const getVarianceComponents = (id, signal) => call(run(id, "/loss/explained"), { signal });

/** Where a checkpoint's file is; `checkpoint` may be "best" or "latest". */
export const checkpointFile = (id, checkpoint) =>
  run(id, `/checkpoints/${encodeURIComponent(checkpoint)}/file`);

/** Where the losses of every update are. */
export const lossesFile = (id) => run(id, "/losses.csv");

/**
 * Hand over a text. XMLHttpRequest, since fetch can't tell how far an upload has come.
 *
 * @param {File} file
 * @param {(share: number) => void} onProgress called with 0 to 1.
 * @returns {Promise<Object>} the Corpus.
 */
export function uploadCorpus(file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("error", () => reject(new Problem(UNREACHABLE)));
    request.addEventListener("load", () => {
      try {
        resolve(answer(request.status, request.responseText));
      } catch (problem) {
        reject(problem);
      }
    });
    request.open("POST", "/api/corpora");
    request.send(form);
  });
}
