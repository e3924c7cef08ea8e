/** Events for an app: handlers that hear the present state when they are added late. */

/** A function that is called with each event of a kind. */
export type Handler<E> = (event: E) => void;

/** The handlers of events whose kinds and types are those of `Map`. */
export class Emitter<Events> {
  readonly #handlers = new Map<keyof Events, Set<Handler<never>>>();
  readonly #present: <K extends keyof Events>(kind: K) => readonly Events[K][];

  /** `present` gives the events that say what is so now; they are told to a handler that is added late. */
  constructor(present: <K extends keyof Events>(kind: K) => readonly Events[K][]) {
    this.#present = present;
  }

  /** Adds a handler. Returns what removes it. */
  on<K extends keyof Events>(kind: K, handler: Handler<Events[K]>): () => void {
    let isThere = true;
    // A function of its own for each call, so that a handler that is added twice is two.
    const own: Handler<Events[K]> = (event) => {
      if (isThere) handler(event);
    };
    // In a microtask, so that the caller has its handle first. What comes meanwhile is told after it, and once.
    queueMicrotask(() => {
      if (!isThere) return;
      for (const event of this.#present(kind)) call(own, event);
      const handlers = this.#handlers.get(kind) ?? new Set();
      this.#handlers.set(kind, handlers.add(own));
    });
    return () => {
      isThere = false;
      this.#handlers.get(kind)?.delete(own);
    };
  }

  /** Calls the handlers of this kind. Returns whether there is one. */
  emit<K extends keyof Events>(kind: K, event: Events[K]): boolean {
    const handlers = this.#handlers.get(kind);
    if (handlers === undefined || handlers.size === 0) return false;
    for (const handler of [...handlers]) call(handler as Handler<Events[K]>, event);
    return true;
  }
}

function call<E>(handler: Handler<E>, event: E): void {
  try {
    handler(event);
  } catch (error) {
    // The app's own mistake, which is the app's to see, and no reason to leave others out.
    reportError(error);
  }
}
