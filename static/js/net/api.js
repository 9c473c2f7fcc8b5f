/** The server's HTTP interface; its problem documents become errors. */

import { rooted } from "../lib/dom.js";
import { linesOf } from "../lib/ndjson.js";

/** An error answer of the server, or none at all; `message` is a sentence for the user. */
export class Problem extends Error {
  /**
   * @param {string} message
   * @param {number} [status] 0 when the server could not be reached.
   * @param {{field: string, message: string}[]} [fields]
   * @param {number} [retryAfterS] when to try again, in seconds; 0: not stated.
   */
  constructor(message, status = 0, fields = [], retryAfterS = 0) {
    super(message);
    this.retryAfterS = retryAfterS;
    this.name = "Problem";
    this.status = status;
    this.fields = fields;
  }
}

const UNREACHABLE = "The server cannot be reached. Nothing was changed.";

const CUT_OFF = "The connection was lost before the whole answer arrived.";

const INTERRUPTED = "The connection was lost while the passage was being written.";

const LONGEST_ANSWER_MS = 10_000;

/** @typedef {{method?: string, body?: any, signal?: AbortSignal | null}} RequestOptions */

/** @type {(error: unknown) => boolean} */
const isAbort = (error) => error instanceof Error && error.name === "AbortError";

/**
 * @param {string} path
 * @param {RequestOptions} [options]
 * @returns {Promise<any>} the JSON of the answer; null for an empty one.
 */
async function call(path, options) {
  const response = await send(path, options);
  if (response.status === 204) return null;
  return answer(response.status, await bodyOf(response), retryAfterOf(response));
}

/** @param {Response} response */
async function bodyOf(response) {
  try {
    return await response.text();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem(CUT_OFF);
  }
}

/**
 * @param {string} path
 * @param {RequestOptions} [options]
 */
async function send(path, { method = "GET", body, signal } = {}) {
  try {
    return await fetch(rooted(path), {
      method,
      signal,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem(UNREACHABLE);
  }
}

/** @param {Response} response @returns {number} seconds; 0: not stated. */
function retryAfterOf(response) {
  const after = Number(response.headers.get("Retry-After"));
  return after > 0 ? after : 0;
}

/**
 * @param {number} status
 * @param {string} text
 * @param {number} [retryAfterS]
 */
function answer(status, text, retryAfterS = 0) {
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {
    // A proxy may answer with an HTML page; then only the status is known.
  }
  if (status >= 200 && status < 300 && document !== null) return document;
  throw new Problem(
    document?.detail || document?.title || `The server answered with status ${status}.`,
    status,
    document?.errors ?? [],
    retryAfterS,
  );
}

/**
 * The value of a promise; null when the server refuses or the request is aborted.
 *
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T | null>}
 */
export async function nullOnProblem(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Problem || isAbort(error)) return null;
    throw error;
  }
}

/** The server's time in milliseconds since 1970; null when the server cannot be reached. */
export async function serverTime() {
  const health = await nullOnProblem(call("/healthz"));
  return health && /** @type {number} */ (health.time) * 1000;
}

const run = (/** @type {string} */ id, rest = "") => `/api/runs/${encodeURIComponent(id)}${rest}`;

/**
 * Where a stream of messages is: its WebSocket, and the same messages over HTTP.
 *
 * @typedef {{socket: string, messages: string}} Stream
 */

/** @type {(id: string) => Stream} */
export const runStream = (id) => ({
  socket: `/ws/runs/${encodeURIComponent(id)}`,
  messages: run(id, "/messages"),
});

/** All runs at once. @type {Stream} */
export const WALL_STREAM = { socket: "/ws/wall", messages: "/api/wall" };

/** What the presenter of a lecture looks at. @type {(id: string) => Stream} */
export const lectureStream = (id) => ({
  socket: `/ws/lectures/${encodeURIComponent(id)}`,
  messages: lecture(id, "/messages"),
});

/** A game. @type {(id: string) => Stream} */
export const gameStream = (id) => ({
  socket: `/ws/games/${encodeURIComponent(id)}`,
  messages: game(id, "/messages"),
});

/**
 * The messages that a WebSocket would have sent since a message, or a snapshot.
 *
 * @type {(stream: Stream, since: number | null) => Promise<any[]>}
 */
export const getMessages = ({ messages }, since) =>
  call(`${messages}${since === null ? "" : `?since=${since}`}`, {
    signal: AbortSignal.timeout(LONGEST_ANSWER_MS),
  });

/**
 * Why a WebSocket was not opened, in a sentence; null when HTTP does not work either.
 *
 * A browser does not tell scripts the answer to a failed handshake. The same address answers an
 * ordinary request with the reason.
 *
 * @param {Stream} stream
 * @returns {Promise<string | null>}
 */
export async function websocketRefusal({ socket }) {
  const signal = AbortSignal.timeout(LONGEST_ANSWER_MS);
  try {
    await call(socket, { signal });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // A proxy answers with 502 to 504 for a server that does not run.
    if (error.status > 0 && error.status < 500) return error.message;
  }
  return null;
}

/** @returns {Promise<Run[]>} newest first. */
export const listRuns = () => call("/api/runs");

/** @type {(ids: string[]) => Promise<WallDetail[]>} */
export const listWallCurves = (ids) => call(`/api/wall/curves?runs=${ids.join()}`);

const lecture = (/** @type {string} */ id, rest = "") =>
  `/api/lectures/${encodeURIComponent(id)}${rest}`;

/** @returns {Promise<StartedLecture>} */
export const startLecture = () => call("/api/lectures", { method: "POST", body: {} });

/** @type {(id: string) => Promise<LectureLinks>} */
export const getLecture = (id) => call(lecture(id));

/** @type {(id: string) => Promise<null>} */
export const endLecture = (id) => call(lecture(id), { method: "DELETE" });

/** The address of the QR code of a viewer link. @type {(id: string) => string} */
export const qrCodeOf = (id) => lecture(id, "/qr.svg");

const game = (/** @type {string} */ id, rest = "") => `/api/games/${encodeURIComponent(id)}${rest}`;

/** @type {(wanted: object) => Promise<StartedGame>} */
export const startGame = (wanted) => call("/api/games", { method: "POST", body: wanted });

/** @type {(id: string) => Promise<GameLinks>} */
export const getGame = (id) => call(game(id));

/** @type {(id: string) => Promise<null>} */
export const endGame = (id) => call(game(id), { method: "DELETE" });

/** The address of the QR code of a game. @type {(id: string) => string} */
export const gameCode = (id) => game(id, "/qr.svg");

/** Join a game, or come back. @type {(id: string, player: string) => Promise<PlayerAnswers>} */
export const joinGame = (id, player) =>
  call(game(id, "/players"), { method: "POST", body: { player } });

/**
 * Answer in a round; the result is the answer that counts.
 *
 * @param {string} id
 * @param {{player: string, round: number, character: string}} answer
 * @returns {Promise<RoundAnswer>}
 */
export const answerRound = (id, answer) =>
  call(game(id, "/answers"), { method: "POST", body: answer });

/** @type {(id: string, key: string, round: number) => Promise<null>} */
export const startRound = (id, key, round) =>
  call(game(id, "/start-round"), { method: "POST", body: { key, round } });

/** @type {(id: string, key: string, round: number) => Promise<null>} */
export const endRound = (id, key, round) =>
  call(game(id, "/end-round"), { method: "POST", body: { key, round } });

/** @returns {Promise<Machine[]>} the server's own first. */
export const listMachines = () => call("/api/machines");

/** @type {(spec: Partial<RunSpec>) => Promise<Run>} */
export const createRun = (spec) => call("/api/runs", { method: "POST", body: spec });

/**
 * Which network a file of weights has, and whether it fits a text; nothing is stored.
 *
 * @type {(file: File, corpus: string) => Promise<FoundParameters>}
 */
export const checkParameters = (file, corpus) =>
  upload("/api/parameters", formOf({ file, corpus }), () => {});

/** @type {(spec: Partial<RunSpec>, file: File) => Promise<Run>} */
export const createRunFromParameters = (spec, file) =>
  upload("/api/runs/from-parameters", formOf({ file, spec: JSON.stringify(spec) }), () => {});

/** @param {Record<string, string | File>} fields */
function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

/** @type {(spec: Partial<RunSpec>, seeds: number) => Promise<CreatedMembers>} */
export const createGroup = (spec, seeds) =>
  call("/api/groups", { method: "POST", body: { spec, seeds } });

/** @type {(id: string, seeds: number) => Promise<CreatedMembers>} */
export const addSeeds = (id, seeds) => call(run(id, "/seeds"), { method: "POST", body: { seeds } });

const group = (/** @type {string} */ id, rest = "") =>
  `/api/groups/${encodeURIComponent(id)}${rest}`;

/**
 * The mean and the band of a group between two updates, both included.
 *
 * @param {string} id
 * @param {Object} wanted
 * @param {number} wanted.from
 * @param {number | null} wanted.to null: to the end.
 * @param {number} wanted.points the greatest number of buckets.
 * @param {string} [wanted.smoothing] "own" is the runs' own.
 * @param {AbortSignal} [signal]
 * @returns {Promise<GroupLoss>}
 */
export function getGroupLoss(id, { from, to, points, smoothing = "own" }, signal) {
  const query = new URLSearchParams({
    from: String(from),
    ...(to !== null && { to: String(to) }),
    points: String(points),
    ...(smoothing !== "own" && { smoothing }),
  });
  return call(group(id, `/loss?${query}`), { signal });
}

/**
 * The mean and the band of a metric of a group between two updates, both included.
 *
 * @param {string} id
 * @param {number} from
 * @param {number} to
 * @param {number} points the greatest number of buckets.
 * @param {AbortSignal} signal
 * @param {string} name of the metric.
 * @returns {Promise<GroupMetrics>}
 */
export const getGroupMetrics = (id, from, to, points, signal, name) =>
  call(group(id, `/metrics?from=${from}&to=${to}&points=${points}&names=${name}`), { signal });

/** @type {(id: string, change: {name: string}) => Promise<Group>} */
export const changeGroup = (id, change) => call(group(id), { method: "PATCH", body: change });

/** @type {(id: string, smoothLoss: number | null) => Promise<MemberFigures[]>} */
export const getGroupFigures = (id, smoothLoss) =>
  call(group(id, `/figures${smoothLoss === null ? "" : `?smooth_loss=${smoothLoss}`}`));

/** @type {(groups: string[], loss: Differences["loss"]) => Promise<Differences>} */
export const getDifferences = (groups, loss) =>
  call(`/api/groups/differences?groups=${groups.join(",")}&loss=${loss}`);

/** @type {(id: string, change: object) => Promise<Run>} */
export const changeRun = (id, change) => call(run(id), { method: "PATCH", body: change });

/** @type {(id: string) => Promise<null>} */
export const deleteRun = (id) => call(run(id), { method: "DELETE" });

/** @type {(id: string) => Promise<Run>} */
export const pause = (id) => call(run(id, "/pause"), { method: "POST", body: {} });

/** @type {(id: string) => Promise<Run>} */
export const resume = (id) => call(run(id, "/resume"), { method: "POST", body: {} });

/** @type {(id: string) => Promise<Run>} */
export const stop = (id) => call(run(id, "/stop"), { method: "POST", body: {} });

/** @type {(id: string, position: number) => Promise<Run>} */
export const moveInQueue = (id, position) =>
  call(run(id, "/queue"), { method: "PATCH", body: { position } });

/** @type {(id: string, updates: number) => Promise<Run>} */
export const step = (id, updates) => call(run(id, "/step"), { method: "POST", body: { updates } });

/** @type {(id: string) => Promise<Checkpoint>} */
export const saveCheckpoint = (id) => call(run(id, "/checkpoints"), { method: "POST", body: {} });

/** @type {(id: string) => Promise<Checkpoint[]>} oldest first. */
export const listCheckpoints = (id) => call(run(id, "/checkpoints"));

const sweep = (/** @type {string} */ id, rest = "") =>
  `/api/sweeps/${encodeURIComponent(id)}${rest}`;

/** @returns {Promise<Sweep[]>} newest first. */
export const listSweeps = () => call("/api/sweeps");

/** @type {(spec: SweepSpec) => Promise<Sweep>} */
export const createSweep = (spec) => call("/api/sweeps", { method: "POST", body: spec });

/** @type {(id: string) => Promise<Sweep>} */
export const getSweep = (id) => call(sweep(id));

/** @type {(id: string) => Promise<Sweep>} */
export const pauseSweep = (id) => call(sweep(id, "/pause"), { method: "POST", body: {} });

/** @type {(id: string) => Promise<Sweep>} */
export const resumeSweep = (id) => call(sweep(id, "/resume"), { method: "POST", body: {} });

/** @type {(id: string) => Promise<Sweep>} */
export const stopSweep = (id) => call(sweep(id, "/stop"), { method: "POST", body: {} });

/** @type {(id: string, withRuns: boolean) => Promise<null>} */
export const deleteSweep = (id, withRuns) =>
  call(sweep(id, withRuns ? "?runs=true" : ""), { method: "DELETE" });

/** @type {(spec: Partial<RunSpec>, signal: AbortSignal) => Promise<any>} */
export const estimateRun = (spec, signal) =>
  call("/api/estimate", { method: "POST", body: spec, signal });

/** @type {(id: string, checkpoint: string, spec: object) => Promise<Run>} */
export const forkRun = (id, checkpoint, spec) =>
  call(run(id, "/fork"), { method: "POST", body: { checkpoint, spec } });

/** @type {(id: string, checkpoint: string) => Promise<null>} */
export const deleteCheckpoint = (id, checkpoint) =>
  call(run(id, `/checkpoints/${encodeURIComponent(checkpoint)}`), { method: "DELETE" });

/** @returns {Promise<ListedCorpus[]>} */
export const listCorpora = () => call("/api/corpora");

/** @type {(id: string) => Promise<Corpus>} */
export const getCorpus = (id) => call(`/api/corpora/${encodeURIComponent(id)}`);

/** @type {(id: string) => Promise<null>} */
export const deleteCorpus = (id) =>
  call(`/api/corpora/${encodeURIComponent(id)}`, { method: "DELETE" });

/**
 * The characters of a corpus from `from` up to, but not including, `to`.
 *
 * @type {(id: string, from: number, to: number, signal?: AbortSignal) => Promise<{text: string}>}
 */
export const getText = (id, from, to, signal) =>
  call(`/api/corpora/${encodeURIComponent(id)}/text?from=${from}&to=${to}`, { signal });

/**
 * Request one passage or several. The promise resolves after the last character.
 *
 * @param {string} id
 * @param {PassageRequest} request
 * @param {(pieces: string[], unread: string[]) => void} onPieces called with the next piece of each
 *   text, and the characters of the prime that the network does not know.
 * @param {AbortSignal} signal
 * @returns {Promise<Passage[]>}
 */
export async function writePassages(id, request, onPieces, signal) {
  const path = run(id, "/passages?stream=true");
  const response = await send(path, { method: "POST", body: request, signal });
  if (!response.ok) {
    return answer(response.status, await response.text(), retryAfterOf(response));
  }
  let last = null;
  try {
    for await (const line of linesOf(response)) {
      if (line.pieces) onPieces(line.pieces, line.unknown_characters ?? []);
      else last = line;
    }
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem(INTERRUPTED);
  }
  if (last === null) throw new Problem(INTERRUPTED);
  if (typeof last.status === "number") throw new Problem(last.detail, last.status, last.errors);
  return last.passages ?? [last];
}

/**
 * Save a passage that was just written, identified by its fingerprint.
 *
 * @type {(id: string, fingerprint: string) => Promise<SavedPassage>}
 */
export const savePassage = (id, fingerprint) =>
  call("/api/passages", { method: "POST", body: { run: id, fingerprint } });

/**
 * Saved passages, newest first: of one run or of all, and before another passage.
 *
 * @param {{run?: string, before?: string | null, limit: number}} query
 * @returns {Promise<SavedPassageSlice>}
 */
export function listSavedPassages({ run: ofRun = "", before = null, limit }) {
  const query = new URLSearchParams({
    limit: String(limit),
    ...(ofRun && { run: ofRun }),
    ...(before && { before }),
  });
  return call(`/api/passages?${query}`);
}

const saved = (/** @type {string} */ id) => `/api/passages/${encodeURIComponent(id)}`;

/** @type {(id: string) => Promise<SavedPassage>} */
export const getSavedPassage = (id) => call(saved(id));

/** @type {(id: string, title: string | null) => Promise<SavedPassage>} */
export const renameSavedPassage = (id, title) =>
  call(saved(id), { method: "PATCH", body: { title } });

/** @type {(id: string) => Promise<null>} */
export const deleteSavedPassage = (id) => call(saved(id), { method: "DELETE" });

/** @type {(id: string) => Promise<ReportRemarks>} */
export const getReportRemarks = (id) => call(run(id, "/report/remarks"));

/** @type {(id: string, remarks: ReportRemarks) => Promise<ReportRemarks>} */
export const saveReportRemarks = (id, remarks) =>
  call(run(id, "/report/remarks"), { method: "PUT", body: remarks });

/**
 * The report of a run as a file.
 *
 * @param {string} id
 * @param {string} format "html" or "md"
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
export const getReport = (id, format, signal) =>
  getFile(run(id, `/report?format=${format}`), signal);

/**
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
async function getFile(path, signal) {
  const response = await send(path, { signal });
  if (!response.ok) return answer(response.status, await response.text());
  try {
    return await response.blob();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem(CUT_OFF);
  }
}

/** Where a saved passage can be downloaded. @type {(id: string, format: string) => string} */
export const savedPassageFile = (id, format) => rooted(`${saved(id)}/file?format=${format}`);

/**
 * Where all saved passages, or those of one run, can be downloaded.
 *
 * @type {(format: string, ofRun: string) => string}
 */
export const savedPassagesFile = (format, ofRun) =>
  rooted(`/api/passages/file?${new URLSearchParams({ format, ...(ofRun && { run: ofRun }) })}`);

/**
 * Save the model that wrote a passage, so that a link to the passage keeps working.
 *
 * @type {(id: string, model: string) => Promise<any>}
 */
export const saveModel = (id, model) =>
  call(run(id, "/models"), { method: "POST", body: { model } });

/**
 * Compare every gradient of a random network with two numerical derivatives.
 *
 * @type {(request: object, signal: AbortSignal) => Promise<GradientCheckResult>}
 */
export const checkGradients = (request, signal) =>
  call("/api/gradient-check", { method: "POST", body: request, signal });

/**
 * The errors of the numerical derivatives as a function of the step size.
 *
 * @type {(request: object, signal: AbortSignal) => Promise<any>}
 */
export const errorAgainstStep = (request, signal) =>
  call("/api/gradient-check/steps", { method: "POST", body: request, signal });

/**
 * The loss between two updates, both included.
 *
 * @param {string} id
 * @param {number} from
 * @param {number} to
 * @param {number} points the greatest number of buckets.
 * @param {AbortSignal | null} [signal]
 * @param {string} [smoothing] "own" is the run's own.
 * @returns {Promise<Loss>}
 */
export function getLoss(id, from, to, points, signal = null, smoothing = "own") {
  const query = new URLSearchParams({
    from: String(from),
    to: String(to),
    points: String(points),
    ...(smoothing !== "own" && { smoothing }),
  });
  return call(run(id, `/loss?${query}`), { signal });
}

/**
 * The metrics over a range of updates, or one of them.
 *
 * @type {(id: string, from: number, to: number, points: number, signal: AbortSignal,
 *   name?: string) => Promise<Metrics>}
 */
export function getMetrics(id, from, to, points, signal, name) {
  const only = name === undefined ? "" : `&names=${name}`;
  return call(run(id, `/metrics?from=${from}&to=${to}&points=${points}${only}`), { signal });
}

/** @type {(id: string, update: number, text: string) => Promise<Milestone>} */
export const addNote = (id, update, text) =>
  call(run(id, "/milestones"), { method: "POST", body: { update, text } });

/** @type {(id: string, note: string, text: string) => Promise<Milestone>} */
export const changeNote = (id, note, text) =>
  call(run(id, `/milestones/${encodeURIComponent(note)}`), { method: "PATCH", body: { text } });

/** @type {(id: string, note: string) => Promise<null>} */
export const removeNote = (id, note) =>
  call(run(id, `/milestones/${encodeURIComponent(note)}`), { method: "DELETE" });

/**
 * At most `limit` samples between two updates.
 *
 * @type {(id: string, from: number, to: number, limit: number, signal: AbortSignal) =>
 *   Promise<Sample[]>}
 */
export const getSamples = (id, from, to, limit, signal) =>
  call(run(id, `/samples?from=${from}&to=${to}&limit=${limit}`), { signal });

/**
 * The first update after which the smooth loss was below a figure, in nats per sequence.
 *
 * @type {(id: string, smoothLoss: number) => Promise<FirstBelow>}
 */
export const getFirstBelow = (id, smoothLoss) =>
  call(run(id, `/loss/first-below?smooth_loss=${smoothLoss}`));

/**
 * The text read at an update, or at the greatest loss of a range, or at the newest update.
 *
 * @param {string} id
 * @param {{update?: number | null, range?: [number, number] | null,
 *   place?: {epoch: number, position: number} | null}} at
 * @param {AbortSignal} signal
 * @returns {Promise<UpdateSurprisal>}
 */
export function getSurprisal(id, { update = null, range = null, place = null }, signal) {
  const query = new URLSearchParams();
  if (range) {
    query.set("from", String(range[0]));
    query.set("to", String(range[1]));
  } else if (place) {
    query.set("epoch", String(place.epoch));
    query.set("position", String(place.position));
  } else if (update !== null) {
    query.set("update", String(update));
  }
  return call(run(id, `/surprisal?${query}`), { signal });
}

/**
 * Read a text with a model of the run.
 *
 * @type {(id: string, request: object, signal: AbortSignal) => Promise<Probe>}
 */
export const probe = (id, request, signal) =>
  call(run(id, "/probe"), { method: "POST", body: request, signal });

/**
 * The probability of a character of a text over the training.
 *
 * @type {(id: string, request: object, signal: AbortSignal) => Promise<ProbeHistory>}
 */
export const probeHistory = (id, request, signal) =>
  call(run(id, "/probe/history"), { method: "POST", body: request, signal });

/**
 * The health of a network of the run, and its memory.
 *
 * @type {(id: string, source: "latest" | {update: number}, signal: AbortSignal) => Promise<Health>}
 */
export const getHealth = (id, source, signal) =>
  call(run(id, `/health${sourceQuery(source)}`), { signal });

/**
 * @type {(id: string, source: "latest" | {update: number}, signal: AbortSignal) => Promise<Memory>}
 */
export const getMemory = (id, source, signal) =>
  call(run(id, `/memory${sourceQuery(source)}`), { signal });

/** @param {"latest" | {update: number}} source */
const sourceQuery = (source) => (source === "latest" ? "" : `?update=${source.update}`);

/** A passage of the run's text, with dialogue if it has any. */
export const getProbeText = (/** @type {string} */ id) => call(run(id, "/probe/text"));

/** The updates of the stored snapshots. @type {(id: string) => Promise<{updates: number[]}>} */
export const getSnapshots = (id) => call(run(id, "/snapshots"));

/**
 * Where in the run's text the units fire that fire in a stretch of a text.
 *
 * @type {(id: string, request: object, signal: AbortSignal) => Promise<UnitSpans>}
 */
export const findSpans = (id, request, signal) =>
  call(run(id, "/units/spans"), { method: "POST", body: request, signal });

/**
 * Write a passage with and without a unit held.
 *
 * @type {(id: string, request: object, signal: AbortSignal) => Promise<Intervention>}
 */
export const intervene = (id, request, signal) =>
  call(run(id, "/intervention"), { method: "POST", body: request, signal });

/**
 * What the units of a network follow.
 *
 * @param {string} id
 * @param {"latest" | { update: number }} source
 * @param {AbortSignal} signal
 * @returns {Promise<UnitList>}
 */
export const getUnits = (id, source, signal) =>
  call(run(id, source === "latest" ? "/units" : `/units?update=${source.update}`), { signal });

/**
 * The correlation of a unit with a feature over the training.
 *
 * @param {string} id
 * @param {{ layer: number, unit: number }} unit
 * @param {string | null} feature null: the one that it follows in the latest network.
 * @returns {Promise<UnitHistory>}
 */
export const getUnitHistory = (id, { layer, unit }, feature) => {
  const query = new URLSearchParams({ layer: String(layer), unit: String(unit) });
  if (feature) query.set("feature", feature);
  return call(run(id, `/units/history?${query}`));
};

/**
 * The next update of a run as it stands, taken apart.
 *
 * @type {(id: string, signal: AbortSignal) => Promise<UnrolledUpdate>}
 */
export const getUnrolled = (id, signal) => call(run(id, "/unrolled"), { signal });

/**
 * Measure the loss of the best model on the test part of a run.
 *
 * @param {string} id
 * @param {boolean} again whether to measure although it has been measured.
 * @returns {Promise<Run>}
 */
export const measureTestPart = (id, again) => 
  call(run(id, "/test"), { method: "POST", body: { again } });

/**
 * The mean loss by position in the corpus, one row per epoch.
 *
 * @type {(id: string, epochs: number[], signal: AbortSignal) =>
 *   Promise<{positions: number[], epochs: {epoch: number, loss: (number | null)[]}[]}>}
 */
export const getLossByPosition = (id, epochs, signal) =>
  call(run(id, `/loss/positions?epochs=${epochs.join(",")}`), { signal });

/**
 * How much of the loss's variance the position in the corpus and the start of an epoch explain.
 *
 * @type {(id: string, signal: AbortSignal) => Promise<ExplainedLoss>}
 */
export const getExplainedLoss = (id, signal) => call(run(id, "/loss/explained"), { signal });

/**
 * Where the file of a checkpoint can be downloaded; `checkpoint` may be "best" or "latest".
 *
 * @type {(id: string, checkpoint: string) => string}
 */
export const checkpointFile = (id, checkpoint) =>
  rooted(run(id, `/checkpoints/${encodeURIComponent(checkpoint)}/file`));

/** Where the best model's weights can be downloaded. @type {(id: string) => string} */
export const weightsFile = (id) => rooted(run(id, "/weights"));

/** Where the page with the best model can be downloaded. @type {(id: string) => string} */
export const standalonePage = (id) => rooted(run(id, "/standalone"));

const ownLosses = (/** @type {string} */ id) => run(id, "/own-losses");

/** The user's losses that are kept with a run. @type {(id: string) => Promise<OwnLossesResult>} */
export const getOwnLosses = (id) => call(ownLosses(id));

/**
 * Put a file of losses beside those of a run; nothing is stored.
 *
 * @type {(id: string, file: File) => Promise<OwnLossesResult>}
 */
export const compareOwnLosses = (id, file) => upload(ownLosses(id), formOf({ file }), () => {});

/** @type {(id: string, file: File) => Promise<OwnLossesResult>} */
export const keepOwnLosses = (id, file) =>
  upload(ownLosses(id), formOf({ file }), () => {}, undefined, "PUT");

/** @type {(id: string) => Promise<null>} */
export const removeOwnLosses = (id) => call(ownLosses(id), { method: "DELETE" });

/** The losses that are kept with a run as CSV. @type {(id: string) => Promise<string>} */
export async function getOwnLossesFile(id) {
  const response = await send(`${ownLosses(id)}/file`);
  const text = await bodyOf(response);
  return response.ok ? text : answer(response.status, text);
}

/** Where the losses of every update can be downloaded. @type {(id: string) => string} */
export const lossesFile = (id) => rooted(run(id, "/losses.csv"));

/** Where the metrics of every measured update can be downloaded. @type {(id: string) => string} */
export const metricsFile = (id) => rooted(run(id, "/metrics.csv"));

/** Where all samples can be downloaded. @type {(id: string) => string} */
export const samplesFile = (id) => rooted(run(id, "/samples.jsonl"));

/** Where the settings of a run can be downloaded. @type {(id: string) => string} */
export const specFile = (id) => rooted(run(id, "/spec.json"));

/**
 * Where a whole run can be downloaded as one file.
 *
 * @type {(id: string, withText: boolean) => string}
 */
export const runFile = (id, withText) =>
  rooted(run(id, withText ? "/export" : "/export?text=false"));

/**
 * Send a form. This uses XMLHttpRequest, since fetch does not report upload progress.
 *
 * @param {string} path
 * @param {FormData} form
 * @param {(share: number) => void} onProgress called with 0 to 1.
 * @param {AbortSignal} [signal]
 * @param {string} [method]
 * @returns {Promise<any>}
 */
function upload(path, form, onProgress, signal, method = "POST") {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("error", () => reject(new Problem(UNREACHABLE)));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    request.addEventListener("load", () => {
      try {
        resolve(answer(request.status, request.responseText));
      } catch (problem) {
        reject(problem);
      }
    });
    signal?.addEventListener("abort", () => request.abort());
    request.open(method, rooted(path));
    request.send(form);
  });
}

/**
 * Upload a text.
 *
 * @param {File} file
 * @param {(share: number) => void} onProgress called with 0 to 1.
 * @param {{encoding?: string, leaveOutLicence?: boolean}} [choices] by default, the server detects
 *   the encoding, and keeps the licence of Project Gutenberg.
 * @returns {Promise<Corpus>}
 */
export function uploadCorpus(file, onProgress, { encoding, leaveOutLicence } = {}) {
  const form = new FormData();
  form.append("file", file);
  if (encoding) form.append("encoding", encoding);
  if (leaveOutLicence) form.append("leave_out_licence", "true");
  return upload("/api/corpora", form, onProgress);
}

/**
 * Generate a toy text. It is then a corpus like any other.
 *
 * @type {(toy: Record<string, string | number>) => Promise<Corpus>}
 */
export const generateCorpus = (toy) =>
  call("/api/corpora/generated", { method: "POST", body: toy });

/**
 * Import an exported run.
 *
 * @param {File} file
 * @param {File | null} text the text of the run, if the file does not contain it.
 * @param {(share: number) => void} onProgress called with 0 to 1.
 * @param {AbortController} request
 * @returns {Promise<Run>}
 */
export function importRun(file, text, onProgress, { signal }) {
  const form = new FormData();
  form.append("file", file);
  if (text) form.append("text", text);
  return upload("/api/runs/import", form, onProgress, signal);
}

const course = (/** @type {string} */ path, /** @type {ProblemQuery} */ query) =>
  `/api/course/${path}?${new URLSearchParams(query)}`;

/**
 * The file of a problem: a network, a text, and the loss.
 *
 * @type {(query: ProblemQuery, signal: AbortSignal) => Promise<Blob>}
 */
export const getProblem = (query, signal) => getFile(course("problem", query), signal);

/**
 * Compare the gradients in a file with those of a problem.
 *
 * @type {(query: ProblemQuery, file: File, signal: AbortSignal) => Promise<Answer>}
 */
export function checkAnswer(query, file, signal) {
  const form = new FormData();
  form.append("file", file);
  return upload(course("answer", query), form, () => {}, signal);
}

/**
 * Train a network with a mistake beside the right one. The promise resolves when it is done.
 *
 * @param {object} request
 * @param {(part: TrainingProgress) => void} onProgress
 * @param {(sample: TrainingSample) => void} onSample
 * @param {AbortSignal} signal
 * @returns {Promise<TrainingResult>}
 */
export async function trainMistake(request, onProgress, onSample, signal) {
  const response = await send("/api/course/mistakes", { method: "POST", body: request, signal });
  if (!response.ok) return answer(response.status, await response.text());
  let last = null;
  try {
    for await (const line of linesOf(response)) {
      if (line.sample) onSample(line.sample);
      else if (line.right) onProgress(line);
      else last = line;
    }
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem(CUT_OFF);
  }
  if (last === null) throw new Problem(CUT_OFF);
  if (typeof last.status === "number") throw new Problem(last.detail, last.status, last.errors);
  return last;
}
