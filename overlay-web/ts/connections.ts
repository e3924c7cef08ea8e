/**
 * New peer connections, within what a browser allows.
 *
 * Chromium has at most 500 in a process, and one that is closed counts until its memory is collected, half a minute later. Neither
 * a reload nor waiting frees them sooner; memory pressure does. (Measured with Chromium 156; Firefox has no such limit.)
 */

/** The size of one step of memory pressure, in bytes. It is allocated, never touched, and dropped at once. */
const STEP = 32 * 1024 * 1024;

/** Most steps before a connection is given up. In measurements 6 to 23 were enough. */
const MAX_STEPS = 64;

/** Connections that may be made in a burst. */
const BURST = 32;

/** Connections a second beyond that. At 8 a second a tab reaches the limit after 104 seconds, and pressure frees them again. */
const PER_SECOND = 8;

/** Most connections that wait for their turn. A node has fewer candidates than this at once, unless a peer floods it. */
const MAX_WAITING = 256;

/** The maker of peer connections: one for each page, because the limit is the page's. */
export class Connections {
  #tokens = BURST;
  #refilled = performance.now();
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** A new connection, in turn. Rejects with the browser's error if there is no way to have one. */
  async make(config: RTCConfiguration): Promise<RTCPeerConnection> {
    if (this.#waiting >= MAX_WAITING) throw new Error('too many connections are being made');
    this.#waiting += 1;
    const before = this.#last;
    const made = before.then(() => this.#makeNow(config));
    this.#last = made.catch(() => undefined);
    try {
      return await made;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #makeNow(config: RTCConfiguration): Promise<RTCPeerConnection> {
    await this.#turn();
    let step = 0;
    for (;;) {
      try {
        return new RTCPeerConnection(config);
      } catch (error) {
        // A wrong address of a STUN server is no lack of connections.
        const full = error instanceof DOMException && error.name === 'UnknownError';
        if (!full || step === MAX_STEPS) throw error;
      }
      step += 1;
      press();
      await sleep(0);
    }
  }

  /** Waits until another connection may be made. */
  async #turn(): Promise<void> {
    const time = performance.now();
    this.#tokens = Math.min(BURST, this.#tokens + ((time - this.#refilled) / 1_000) * PER_SECOND);
    this.#refilled = time;
    this.#tokens -= 1;
    if (this.#tokens < 0) await sleep((-this.#tokens / PER_SECOND) * 1_000);
  }
}

function press(): void {
  try {
    new ArrayBuffer(STEP);
  } catch {
    // There is no more memory: pressure enough.
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
