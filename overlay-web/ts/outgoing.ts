/**
 * Messages on their way from the app to the engine. Their number is bounded, whatever an app does: further callers wait before their
 * message is handed over.
 */

import { OverlayError } from './errors.js';
import { Answers } from './message.js';
import { bytesOf, type Payload } from './payload.js';
import type { Command, Recipient, Told } from './protocol.js';
import { LARGE } from './sends.js';
import type { Combine } from './news.js';

/** Most messages that wait for their neighbours at a time. 256 of 16 KiB are 4 MiB. */
const MAX_WAITING = 256;

/** Most among them above 64 KiB: of the longest, 64 MiB. */
const MAX_LARGE = 4;

/** Longest last message of a stream, in bytes. */
const MAX_LAST = 256;

/** Options of a send. */
export interface SendOptions {
  /**
   * Takes the message back when it is aborted, as far as it is not sent. What has gone out of it, the receivers drop. The promise is
   * then rejected with the signal's reason.
   */
  readonly signal?: AbortSignal;
  /** Hears how many bytes of a message above 64 KiB have gone out, and how many they are in all. */
  readonly onProgress?: (bytes: number, total: number) => void;
}

interface Waiting {
  readonly resolve: (outcome: number | Answers) => void;
  readonly reject: (error: Error) => void;
  readonly progress: ((bytes: number) => void) | undefined;
}

/** The messages of one node that its app waits for. */
export class Outgoing {
  readonly #command: (command: Command) => void;
  readonly #maxMessage: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #places = new Places(MAX_WAITING);
  readonly #largePlaces = new Places(MAX_LARGE);
  #latest = 0;

  constructor(maxMessage: number, command: (command: Command) => void) {
    this.#maxMessage = maxMessage;
    this.#command = command;
  }

  /** Sends a message. Resolves with the number of neighbours that it has gone out to. */
  async send(to: Recipient, payload: Payload, { signal, onProgress }: SendOptions = {}): Promise<number> {
    signal?.throwIfAborted();
    const bytes = bytesOf(payload);
    const limit = to.type === 'everyone' && to.last ? MAX_LAST : this.#maxMessage;
    if (bytes.length > limit) {
      throw new OverlayError('too-long', `a message of ${bytes.length} bytes exceeds the limit of ${limit}`);
    }
    const places = bytes.length > LARGE ? this.#largePlaces : this.#places;
    await places.take(signal);
    try {
      const total = bytes.length;
      const progress =
        onProgress === undefined
          ? undefined
          : (sent: number) => {
              onProgress(sent, total);
            };
      return (await this.#outcome(signal, progress, (number) => {
        this.#command({ type: 'send', number, to, payload: bytes });
      })) as number;
    } finally {
      places.give();
    }
  }

  /** Asks every node. */
  async ask(question: Payload, timeout: number, combine: Combine): Promise<Answers> {
    const bytes = bytesOf(question);
    return (await this.#outcome(undefined, undefined, (number) => {
      this.#command({ type: 'ask', number, question: bytes, timeout, combine });
    })) as Answers;
  }

  /** Takes what the engine tells of a message. */
  told(told: Told): void {
    switch (told.type) {
      case 'sent':
        this.#take(told.number)?.resolve(told.receivers);
        return;
      case 'unsent':
        this.#take(told.number)?.reject(new OverlayError(told.code, told.text));
        return;
      case 'answers':
        this.#take(told.number)?.resolve(new Answers(told.answers));
        return;
      case 'progress':
        this.#waiting.get(told.number)?.progress?.(told.bytes);
        return;
      default:
    }
  }

  /** Nothing is sent any more. */
  fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  #outcome(
    signal: AbortSignal | undefined,
    progress: ((bytes: number) => void) | undefined,
    begin: (number: number) => void,
  ): Promise<number | Answers> {
    this.#latest += 1;
    const number = this.#latest;
    return new Promise((resolve, reject) => {
      const revoke = () => {
        this.#take(number);
        this.#command({ type: 'revoke', number });
        reject(signal?.reason as Error);
      };
      const done = () => {
        signal?.removeEventListener('abort', revoke);
      };
      signal?.addEventListener('abort', revoke);
      this.#waiting.set(number, {
        resolve: (outcome) => {
          done();
          resolve(outcome);
        },
        reject: (error) => {
          done();
          reject(error);
        },
        progress,
      });
      begin(number);
    });
  }

  #take(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    return waiting;
  }
}

/** A number of places, of which each is given back. Callers that find none wait in line. */
class Places {
  #free: number;
  readonly #line: (() => void)[] = [];

  constructor(free: number) {
    this.#free = free;
  }

  async take(signal: AbortSignal | undefined): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#line.push(resolve));
    if (signal?.aborted !== true) return;
    this.give();
    signal.throwIfAborted();
  }

  give(): void {
    const next = this.#line.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
