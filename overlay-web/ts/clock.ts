/** Time, and one timer. */

/** The present time in milliseconds, of a clock that never runs backwards. */
export function now(): number {
  return performance.now();
}

/** The longest time that a timer of the platform can be set to, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/**
 * A timer for the earliest of a node's deadlines.
 *
 * Setting a timer of the platform costs more than handling a message. So one that is due too early stays as it is: it rings, and is
 * set again.
 */
export class Deadline {
  #due = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #ring: () => void;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at `due` at the latest, or at some time before. */
  by(due: number): void {
    if (due >= this.#due || due === Infinity) return;
    this.stop();
    this.#due = due;
    const wait = Math.min(Math.max(due - now(), 0), LONGEST);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#due = Infinity;
      this.#ring();
    }, wait);
  }

  /** Does not ring any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = Infinity;
  }
}
