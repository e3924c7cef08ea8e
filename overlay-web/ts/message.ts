/** App messages, questions and answers. */

import type { Position, Scope } from './actions.js';
import type { Combine } from './news.js';
import { bytesOf, bytesOfNumber, numberOf, textOf, type Payload } from './payload.js';
import type { AnswersData } from './protocol.js';

/**
 * The receivers of a message: `direct` is for this node, from a neighbour; `broadcast` for every node, from the root; `end` the same,
 * and nothing follows; `up` for the root, which this node is; `reply` for this node, from the root.
 */
export type MessageScope = 'direct' | 'broadcast' | 'end' | 'up' | 'reply';

/** A message that has arrived. */
export class Message {
  /** The id of the node that sent it. */
  readonly from: string;
  /** The nodes that it is for. */
  readonly scope: MessageScope;
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** Its place in the root's stream, if it is a broadcast. A page that keeps it can start there again (`from`). */
  readonly position: Position | undefined;
  /** The way back, if it was sent up to this node. */
  readonly way: Uint8Array | undefined;
  readonly #reply: (way: Uint8Array, payload: Payload) => Promise<void>;

  /** @internal */
  constructor(
    from: string,
    scope: Scope,
    bytes: Uint8Array,
    reply: (way: Uint8Array, payload: Payload) => Promise<void>,
  ) {
    this.from = from;
    this.scope = scope.type === 'root' ? 'up' : scope.type;
    this.bytes = bytes;
    this.position = 'position' in scope ? scope.position : undefined;
    this.way = scope.type === 'root' ? scope.way : undefined;
    this.#reply = reply;
  }

  /** Its bytes as text (UTF-8). */
  text(): string {
    return textOf(this.bytes);
  }

  /** Its text as JSON. Throws a `SyntaxError` if it is none. */
  json(): unknown {
    return JSON.parse(this.text());
  }

  /**
   * Replies to the node that sent this up, which only the root can. Resolves when that node's app has been handed the reply; rejects
   * with `undelivered` when it is known that it can't be, or no longer known whether it was.
   */
  async reply(payload: Payload): Promise<void> {
    if (this.way === undefined) throw new TypeError('only a message that was sent up can be replied to');
    await this.#reply(this.way, payload);
  }
}

/** A question of the root. */
export class Question {
  /** The root's bytes. */
  readonly bytes: Uint8Array;
  /** How answers are combined. For `sum`, `min` and `max` an answer is a whole number. */
  readonly combine: Combine;
  /** Milliseconds in which an answer is of use, from when the question came. */
  readonly left: number;
  readonly #give: (answer: Uint8Array | undefined) => void;
  #isAnswered = false;

  /** @internal */
  constructor(bytes: Uint8Array, combine: Combine, left: number, give: (answer: Uint8Array | undefined) => void) {
    this.bytes = bytes;
    this.combine = combine;
    this.left = left;
    this.#give = give;
  }

  /** Its bytes as text (UTF-8). */
  text(): string {
    return textOf(this.bytes);
  }

  /**
   * Answers. The first answer counts; `null` says that there is none, so that nobody waits for it. A number is sent as the tree
   * combines it if numbers are wanted, and as text otherwise.
   */
  answer(answer: Payload | number | bigint | null): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#give(answer === null ? undefined : this.#bytesOf(answer));
  }

  #bytesOf(answer: Payload | number | bigint): Uint8Array {
    if (typeof answer !== 'number' && typeof answer !== 'bigint') return bytesOf(answer);
    return this.#wantsNumber ? bytesOfNumber(answer) : bytesOf(String(answer));
  }

  get #wantsNumber(): boolean {
    return this.combine === 'sum' || this.combine === 'min' || this.combine === 'max';
  }
}

/** The answer of one node. */
export interface Answer {
  /** The node's id. */
  readonly node: string;
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** Its bytes as text (UTF-8). */
  text(): string;
}

/** The answers to a question. */
export class Answers {
  /** The number of nodes whose answers are in it. */
  readonly answered: number;
  /** The number of nodes whose answers there was no room for. */
  readonly omitted: number;
  /** The number of nodes that were asked, as far as is known. */
  readonly asked: number;
  /** The combined answer. Empty if nobody has answered. */
  readonly value: Uint8Array;
  /** The answers, each with its node, if they were combined by `each`. */
  readonly each: readonly Answer[];

  /** @internal */
  constructor(data: AnswersData) {
    this.answered = data.answered;
    this.omitted = data.omitted;
    this.asked = data.asked;
    this.value = data.value;
    this.each = data.each.map((bytes, index) => ({
      node: data.nodes[index] ?? '',
      bytes,
      text: () => textOf(bytes),
    }));
  }

  /** The number that the answers were combined to by `sum`, `min` or `max`. `undefined` if nobody has answered. */
  get number(): bigint | undefined {
    return numberOf(this.value);
  }
}
