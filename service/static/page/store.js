/**
 * The state of the page, in one place.
 *
 * Whatever happens changes the state; whatever is shown is made from the state.
 */

/** Hold a state and tell listeners of its changes, once for all that come together. */
export function createStore(initial) {
  const listeners = [];
  let state = initial;
  let isScheduled = false;

  function tell() {
    isScheduled = false;
    for (const listener of listeners) listener(state);
  }

  return {
    get state() {
      return state;
    },
    set(changes) {
      state = { ...state, ...changes };
      if (!isScheduled) {
        isScheduled = true;
        queueMicrotask(tell);
      }
    },
    subscribe(listener) {
      listeners.push(listener);
    },
  };
}
