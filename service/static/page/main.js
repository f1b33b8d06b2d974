/**
 * The page: what happens changes the state, what is shown follows from the state.
 *
 *     store -> views, previews -> api -> store
 */

import { createApi } from "./api.js";
import { createComparison } from "./comparison.js";
import { announce, byId } from "./dom.js";
import { createDownload } from "./download.js";
import { createHints } from "./hints.js";
import { createHistory } from "./history.js";
import { createIntake } from "./intake.js";
import { askForKey } from "./key.js";
import { DEFAULT_LOOK, lookFromHash, lookToHash } from "./look.js";
import { createModels } from "./models.js";
import { createPalette } from "./palette.js";
import { openPicture } from "./picture.js";
import { keepPreviews, modelOf } from "./previews.js";
import { createSamples } from "./samples.js";
import { createSliders } from "./sliders.js";
import { createSnippets } from "./snippets.js";
import { ALL_GREY, AT_REST, createStage } from "./stage.js";
import { createStatus } from "./status.js";
import { createStore } from "./store.js";
import { createVariations } from "./variations.js";

const base = new URL("./", document.baseURI);
const history_ = createHistory();
const store = createStore({
  look: { ...DEFAULT_LOOK, ...lookFromHash(location.hash) },
  models: [],
  picture: null,
  reading: null,
  colored: null,
  variations: null,
  comparison: null,
  reference: null,
  download: null,
  otherColors: null,
  selectedHint: null,
  brush: "#ff5a36",
  divide: ALL_GREY,
  isSweeping: false,
  sweptPicture: null,
  isDropping: false,
  wait: null,
  busy: {},
  problems: {},
  again: [],
  takesPalette: true,
  takesHints: true,
  takesVariation: true,
});
const api = createApi({ base, askForKey, onWait: (wait) => store.set({ wait }) });
let reopen = null;

const app = {
  base,
  store,
  api,

  /** Change the look; steps of one gesture, such as a slider that is drawn, are undone as one. */
  change(changes, gesture) {
    const { look } = store.state;
    history_.remember(look, gesture);
    setLook({ ...look, ...changes });
  },
  endGesture: history_.endGesture,

  /** Read a file, with the help of the service where the browser cannot. */
  read(file) {
    return openPicture(file, async () => {
      const inGrey = { ...DEFAULT_LOOK, saturation: 0, format: "jpeg" };
      return (await api.colorize(file, file.name, inGrey)).blob;
    });
  },

  /** Show the picture that `read` gives; the last that was asked for wins. */
  async open(read) {
    reopen = read;
    setProblem("intake", null);
    store.set({ reading: "the picture" });
    try {
      const picture = await read();
      if (reopen !== read) return;
      const isFirst = store.state.picture === null;
      const { look } = store.state;
      // Hints are places on the picture that was.
      if (!isFirst && look.hints.length) app.change({ hints: [] });
      store.set({ picture, divide: ALL_GREY, isSweeping: false, selectedHint: null, otherColors: null });
      announce(`${picture.name} is open`);
      if (isFirst) requestAnimationFrame(() => byId("studio-title").focus({ preventScroll: true }));
    } catch (problem) {
      if (reopen === read) setProblem("intake", problem);
    } finally {
      if (reopen === read) store.set({ reading: null });
    }
  },

  get canReopen() {
    return reopen !== null || store.state.models.length === 0;
  },

  tryAgain(place) {
    if (place === "intake") {
      if (!store.state.models.length) start();
      if (reopen) app.open(reopen);
    } else {
      const { problems } = store.state;
      store.set({ again: place === "preview" ? ["preview", "comparison"] : [place], problems: { ...problems, [place]: null } });
    }
  },
};

function setProblem(place, problem) {
  store.set({ problems: { ...store.state.problems, [place]: problem } });
}

function setLook(look) {
  store.set({ look, otherColors: null });
}

function undo() {
  if (history_.canUndo) setLook(history_.undo(store.state.look));
}

function redo() {
  if (history_.canRedo) setLook(history_.redo(store.state.look));
}

byId("undo").addEventListener("click", undo);
byId("redo").addEventListener("click", redo);
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.matches("input[type=password]")) return;
  const key = event.key.toLowerCase();
  if (key === "y" || (key === "z" && event.shiftKey)) redo();
  else if (key === "z") undo();
  else return;
  event.preventDefault();
});
byId("share").addEventListener("click", async () => {
  await navigator.clipboard.writeText(location.href);
  announce("Link copied");
  byId("share").classList.add("done");
  setTimeout(() => byId("share").classList.remove("done"), 1500);
});
window.addEventListener("hashchange", () => {
  const look = { ...DEFAULT_LOOK, ...lookFromHash(location.hash) };
  if (lookToHash(look) !== lookToHash(store.state.look)) app.change(look);
});

// What a model cannot be told is not offered.
store.subscribe((state) => {
  if (!state.models.length) return;
  const { inputs } = modelOf(state);
  const [takesPalette, takesHints, takesVariation] = ["palette", "hints", "variation"].map((name) => inputs.includes(name));
  if (takesPalette !== state.takesPalette || takesHints !== state.takesHints || takesVariation !== state.takesVariation) {
    store.set({ takesPalette, takesHints, takesVariation });
  }
});

// The first colour of a picture comes in from the right.
store.subscribe(({ picture, colored, sweptPicture }) => {
  if (picture && colored?.picture === picture && sweptPicture !== picture) {
    store.set({ divide: AT_REST, isSweeping: true, sweptPicture: picture });
  }
});

store.subscribe(({ look, picture }) => {
  const hash = lookToHash(look);
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  byId("welcome").hidden = Boolean(picture);
  byId("studio").hidden = !picture;
  byId("undo").disabled = !history_.canUndo;
  byId("redo").disabled = !history_.canRedo;
});

const views = [
  createIntake, createModels, createPalette, createHints, createSliders, createVariations, createComparison,
  createDownload, createSnippets, createStatus,
].map((create) => create(app));
views.push(createStage(store));
store.subscribe((state) => views.forEach((render) => render(state)));
keepPreviews(store, api);

async function start() {
  try {
    store.set({ models: await api.models() });
    setProblem("intake", null);
  } catch (problem) {
    setProblem("intake", problem);
  }
}

start();
createSamples(app).catch((problem) => setProblem("intake", problem));
