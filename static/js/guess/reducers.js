/** The state of a game on this page, and how messages change it. */

/** @type {GuessState} */
export const INITIAL_STATE = {
  presents: false,
  connection: { status: "connecting", retryInS: null, silentS: null, reason: null, heardAt: null },
  game: null,
  over: null,
  clock: null,
  answers: {},
  sending: null,
  problem: null,
};

const ENDED = "The game has ended.";
const RESTARTED = "The game has ended: the server was restarted.";
const UNKNOWN = "There is no such game.";

/** @type {(state: GuessState, action: Action) => GuessState} */
export function reduce(state, action) {
  if (action.type === "message") return receive(state, action.message, action.at);
  if (action.type === "connection") {
    const { connection } = action;
    if (connection.status !== "gone") return { ...state, connection };
    return { ...state, connection, over: causeOf(state.game, connection.reason) };
  }
  // The answers that count, by round.
  if (action.type === "answers") {
    const answers = { ...state.answers, ...action.answers };
    const sent = state.game !== null && answers[state.game.round] !== undefined;
    return { ...state, answers, ...(sent ? { sending: null, problem: null } : {}) };
  }
  if (action.type === "sending") {
    return { ...state, sending: action.sending, problem: action.problem ?? null };
  }
  throw new TypeError(`There is no action ${action.type}`);
}

/**
 * Why a game is over. The server keeps games in memory: one that it does not know, although this
 * page has seen it, was lost at a restart.
 *
 * @type {(game: Game | null, reason: string | null) => string}
 */
function causeOf(game, reason) {
  if (game && reason !== ENDED) return RESTARTED;
  return reason ?? UNKNOWN;
}

/** @type {(state: GuessState, message: GameMessage, at: number) => GuessState} */
function receive(state, message, at) {
  const game = changed(state.game, message);
  if (!game) return state;
  const leftS = game.ends_at === null ? 0 : game.ends_at - message.sent_at;
  const clock = game.open ? { leftS, at } : null;
  const begun = game.round !== state.game?.round;
  return { ...state, game, clock, ...(begun ? { sending: null, problem: null } : {}) };
}

/** @type {(game: Game | null, message: GameMessage) => Game | null} */
function changed(game, message) {
  if (message.type === "snapshot") return message;
  if (!game) return null;
  if (message.type === "round") {
    const { round, ends_at, choices, players } = message;
    return { ...game, round, ends_at, choices, players, open: true, answered: 0, shares: [] };
  }
  if (message.type === "answers") {
    const { round, players, answered } = message;
    return round === game.round ? { ...game, players, answered } : game;
  }
  if (message.type === "result") {
    const { result, shares, text, players } = message;
    const results = [...game.results, result];
    return { ...game, results, shares, text, players, open: false, ends_at: null };
  }
  // A heartbeat corrects the clock.
  return game;
}

/** The result of the last round, if it has ended. @param {Game | null} game */
export const lastResult = (game) =>
  game && !game.open && game.round > 0 ? (game.results.at(-1) ?? null) : null;

/** Whether all rounds have ended. @param {Game} game */
export const isFinished = (game) => game.results.length === game.rounds;

/**
 * The bits of a player in a round.
 *
 * @type {(result: RoundResult, answer: string | undefined) => number}
 */
export function playerBits(result, answer) {
  if (answer === undefined) return result.chance_bits;
  return answer === result.character ? result.right_bits : result.wrong_bits;
}
