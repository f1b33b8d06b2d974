/** Undo and redo: looks that were, and looks that were taken back. */

const LONGEST = 200;

export function createHistory() {
  let past = [];
  let future = [];
  let gesture = null;

  return {
    get canUndo() {
      return past.length > 0;
    },
    get canRedo() {
      return future.length > 0;
    },
    /** Remember a look that is about to change; steps of one gesture count as one. */
    remember(look, newGesture = null) {
      if (newGesture === null || newGesture !== gesture) past = [...past, look].slice(-LONGEST);
      future = [];
      gesture = newGesture;
    },
    endGesture() {
      gesture = null;
    },
    undo(look) {
      gesture = null;
      future.push(look);
      return past.pop();
    },
    redo(look) {
      gesture = null;
      past.push(look);
      return future.pop();
    },
  };
}
