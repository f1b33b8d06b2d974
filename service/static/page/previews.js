/**
 * Previews: colourings of the small copy, kept up to date with the state.
 *
 * A change is asked for after a short pause, so that a slider that is drawn does not
 * ask at every step; what is no longer wanted is aborted; what was seen is kept.
 */

import { VARIATIONS, hintsOf, lookFor, queryOf } from "./look.js";

const PAUSE_MS = 40;
/** Nobody waits longer than this for a slider that does not rest. */
const PATIENCE_MS = 150;
/** Side issues wait until the picture itself has come. */
const ASIDE_MS = 250;
const MOST_KEPT = 32;
const QUALITY = ["quality", "85"];

const kept = new Map();

/** The model of a look, among those that the service has. */
export function modelOf({ models, look }) {
  return models.find(({ name }) => name === look.model)
    ?? models.find(({ name }) => name === "v12") ?? models[0];
}

/** Colour the small copy of a picture, or remember how it was coloured. */
export async function colorizeSmall(api, picture, look, signal) {
  const key = keyOf(picture, look);
  if (!kept.has(key)) {
    const { blob, palette } = await api.colorize(picture.small, picture.name, plain(look), {
      extra: outputOf(picture), signal,
    });
    keep(key, { image: await createImageBitmap(blob), palette });
  }
  return kept.get(key);
}

/** Keep previews as the state wants them. */
export function keepPreviews(store, api) {
  follow(store, {
    name: "preview",
    pauseMs: PAUSE_MS,
    want(state) {
      if (!state.picture || !state.models.length) return null;
      const look = lookFor(state.look, modelOf(state));
      return { key: keyOf(state.picture, look), picture: state.picture, look };
    },
    recall: ({ key }) => kept.get(key),
    ask: ({ picture, look }, signal) => colorizeSmall(api, picture, look, signal),
    show: (coloring, { picture, look }, tookMs) => store.set({
      colored: { ...coloring, picture, look, tookMs },
    }),
  });

  follow(store, {
    name: "variations",
    pauseMs: ASIDE_MS,
    want(state) {
      if (!state.colored || state.colored.picture !== state.picture) return null;
      const model = modelOf(state);
      const look = { ...lookFor(state.look, model), variation: 0 };
      if (!look.palette && !model.inputs.includes("variation")) return null;
      return { key: keyOf(state.picture, look), picture: state.picture, look };
    },
    async ask({ picture, look }, signal) {
      const choices = await api.variations(picture.small, picture.name, plain(look), VARIATIONS, {
        extra: outputOf(picture), signal,
      });
      return Promise.all(choices.map(async ({ blob, palette }, variation) => {
        const choice = { image: await createImageBitmap(blob), palette };
        keep(keyOf(picture, { ...look, variation }), choice);
        return choice;
      }));
    },
    show: (choices, { picture }) => store.set({ variations: { picture, choices } }),
  });

  follow(store, {
    name: "comparison",
    pauseMs: PAUSE_MS,
    want(state) {
      if (!state.look.all || !state.picture || !state.models.length) return null;
      const looks = state.models.map((model) => lookFor(state.look, model));
      return { key: looks.map((look) => keyOf(state.picture, look)).join(), picture: state.picture, looks };
    },
    ask: ({ picture, looks }, signal) => Promise.all(looks.map(async (look) => ({
      model: look.model, ...await colorizeSmall(api, picture, look, signal),
    }))),
    show: (colorings, { picture }) => store.set({ comparison: { picture, colorings } }),
  });
}

/** Ask for what the state wants whenever that changes. */
function follow(store, { name, pauseMs, want, recall = () => null, ask, show }) {
  let wantedKey = null;
  let askedPicture = null;
  let waitingSince = null;
  let usualMs = 0;
  let timer = null;
  let controller = null;

  function settle(problem = null) {
    const { busy, problems } = store.state;
    store.set({ busy: { ...busy, [name]: false }, problems: { ...problems, [name]: problem } });
  }

  async function start(wanted) {
    controller?.abort();
    controller = new AbortController();
    const { signal } = controller;
    const startedMs = performance.now();
    waitingSince = null;
    askedPicture = wanted.picture;
    try {
      const answer = await ask(wanted, signal);
      if (signal.aborted) return;
      usualMs = performance.now() - startedMs;
      show(answer, wanted, usualMs);
      settle();
    } catch (error) {
      if (signal.aborted) return;
      settle(error);
    }
  }

  function update(state) {
    const wanted = want(state);
    const key = wanted?.key ?? null;
    if (key === wantedKey && !state.again.includes(name)) return;
    if (state.again.includes(name)) store.set({ again: state.again.filter((other) => other !== name) });
    wantedKey = key;
    clearTimeout(timer);
    const known = wanted && recall(wanted);
    if (!wanted || known) {
      controller?.abort();
      waitingSince = null;
      if (known) show(known, wanted, 0);
      settle();
      return;
    }
    store.set({ busy: { ...store.state.busy, [name]: true } });
    const nowMs = performance.now();
    waitingSince ??= nowMs;
    // An answer that is under way is waited for, else a slow service would never be seen.
    const isOverdue = nowMs - waitingSince > Math.max(PATIENCE_MS, 1.5 * usualMs);
    const isNew = wanted.picture !== askedPicture;
    timer = setTimeout(start, isOverdue || (isNew && pauseMs === PAUSE_MS) ? 0 : pauseMs, wanted);
  }

  store.subscribe(update);
}

/** A look without the format, which previews have of their own. */
function plain(look) {
  return { ...look, format: "auto" };
}

function outputOf({ format }) {
  return [["format", format], QUALITY];
}

function keyOf(picture, look) {
  return JSON.stringify([picture.id, queryOf(plain(look)), hintsOf(look)]);
}

function keep(key, coloring) {
  kept.delete(key);
  kept.set(key, coloring);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
}
