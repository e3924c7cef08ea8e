/**
 * The messages of a node that its app has not taken. Their number is bounded by the senders' windows.
 *
 * A message counts as taken when a handler has finished with it, or when an iterator has given it out. Until then its sender's window
 * stays used, so an app that is slow slows the senders, and nothing is lost.
 */

import type { Message } from './message.js';

/** A function that is called with each message. While the promise that it returns is pending, it gets no other. */
export type MessageHandler = (message: Message) => unknown;

interface Entry {
  readonly message: Message;
  readonly taken: () => void;
}

/** The queue of one node. */
export class Inbox {
  readonly #entries: Entry[] = [];
  readonly #handlers = new Set<MessageHandler>();
  #pulls: { resolve: (message: Message | undefined) => void; reject: (error: unknown) => void }[] = [];
  #isHandling = false;
  /** No more messages come: the error why, if it is one. */
  #end: { readonly error: Error | undefined } | undefined;

  /** Takes a message. `taken` is called once, when the app has it. */
  push(message: Message, taken: () => void): void {
    this.#entries.push({ message, taken });
    this.#serve();
  }

  /** Adds a handler. Handlers come before iterators: while there is one, it gets the messages. */
  listen(handler: MessageHandler): () => void {
    this.#handlers.add(handler);
    this.#serve();
    return () => {
      this.#handlers.delete(handler);
      this.#serve();
    };
  }

  /** The next message; `undefined` if the node has left. */
  next(): Promise<Message | undefined> {
    return new Promise((resolve, reject) => {
      this.#pulls.push({ resolve, reject });
      this.#serve();
    });
  }

  /** No more messages come, until `open` is called. Those that wait are still given out. */
  close(error?: Error): void {
    this.#end = { error };
    this.#serve();
  }

  /** Messages come again. */
  open(): void {
    this.#end = undefined;
  }

  #serve(): void {
    if (this.#handlers.size > 0) {
      if (!this.#isHandling && this.#entries.length > 0) void this.#handle();
    } else {
      while (this.#pulls.length > 0 && this.#entries.length > 0) this.#give();
    }
    if (this.#end === undefined || this.#entries.length > 0) return;
    const pulls = this.#pulls;
    this.#pulls = [];
    for (const pull of pulls) {
      if (this.#end.error === undefined) pull.resolve(undefined);
      else pull.reject(this.#end.error);
    }
  }

  #give(): void {
    const entry = this.#entries.shift();
    const pull = this.#pulls.shift();
    if (entry === undefined || pull === undefined) return;
    pull.resolve(entry.message);
    entry.taken();
  }

  async #handle(): Promise<void> {
    this.#isHandling = true;
    let entry = this.#handlers.size > 0 ? this.#entries.shift() : undefined;
    while (entry !== undefined) {
      for (const handler of [...this.#handlers]) {
        try {
          const result = handler(entry.message);
          if (result instanceof Promise) await result;
        } catch (error) {
          // The app's own mistake, which is the app's to see. The message counts as taken.
          reportError(error);
        }
      }
      entry.taken();
      entry = this.#handlers.size > 0 ? this.#entries.shift() : undefined;
    }
    this.#isHandling = false;
    this.#serve();
  }
}
