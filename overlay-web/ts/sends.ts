/**
 * App messages that wait to be sent. The core refuses a message that a neighbour has no room for; here it waits, and its caller with
 * it. A large message takes its time to go out, and so long its caller can take it back.
 *
 * The same as `overlay-driver/src/engine/sends.rs`, for the same reasons.
 */

import type { Core } from './core.js';
import type { AnswersNews, Combine, UnsentReason } from './news.js';
import type { Recipient, SendErrorCode } from './protocol.js';

/** Longest message that is not a large one, in bytes. */
export const LARGE = 64 * 1024;

/** What this needs of the engine. */
export interface SendsOwner {
  readonly core: Core;
  /** Hands the core an event, and returns the reason if it did not take what it was handed. */
  run(input: (core: Core, now: number) => void): Refusal | undefined;
  sent(number: number, receivers: number): void;
  unsent(number: number, code: SendErrorCode, text: string): void;
  progress(number: number, bytes: number): void;
  answers(number: number, answers: AnswersNews): void;
}

/** The core's reason for not taking a message. */
export interface Refusal {
  readonly reason: UnsentReason;
  readonly text: string;
}

/** A message's destination now. */
type Target =
  | { readonly type: 'link'; readonly link: number }
  | { readonly type: 'everyone'; readonly last: boolean }
  | { readonly type: 'root' }
  | { readonly type: 'way'; readonly way: Uint8Array };

interface Pending {
  readonly number: number;
  readonly to: Recipient;
  readonly payload: Uint8Array;
  isRevoked: boolean;
  /** The way of a large message that the core has taken, and of which some has yet to go out. */
  underWay: Target | undefined;
}

const NOT_CONNECTED: Refusal = { reason: 'not-connected', text: 'there is no such neighbour' };
const NOT_ROOT: Refusal = { reason: 'not-root', text: 'only the root may do that' };
const IS_ROOT: Refusal = { reason: 'is-root', text: 'this node is the root' };
const UNKNOWN: Refusal = { reason: 'unsent', text: 'there is no such way to combine answers' };
const ENDED: Refusal = { reason: 'ended', text: 'the stream has ended' };

/** The messages of one node that wait, in order for each recipient. */
export class Sends {
  readonly #owner: SendsOwner;
  #pending: Pending[] = [];
  /** Replies and questions of which the core has yet to say what has become: their numbers, by the core's names for them. */
  readonly #replies = new Map<number, number>();
  readonly #asks = new Map<number, number>();
  #tag = 0;

  constructor(owner: SendsOwner) {
    this.#owner = owner;
  }

  /** Whether some message waits. */
  get areWaiting(): boolean {
    return this.#pending.length > 0;
  }

  /** Takes a message. What becomes of it is told by its number. */
  add(number: number, to: Recipient, payload: Uint8Array): void {
    this.#pending.push({ number, to, payload, isRevoked: false, underWay: undefined });
  }

  /** Takes a message back, as far as it is not sent. Nothing is told of it any more. */
  revoke(number: number): void {
    for (const send of this.#pending) if (send.number === number) send.isRevoked = true;
  }

  /** Sends the waiting messages that can be sent now. */
  retry(): void {
    if (this.#pending.length === 0) return;
    const blocked = new Set<string>();
    const waiting: Pending[] = [];
    const all = this.#pending;
    this.#pending = [];
    for (const send of all) {
      const queue = queueOf(send.to);
      const isLeft =
        send.underWay !== undefined
          ? this.#lookAfter(send, send.underWay)
          : blocked.has(queue) && !send.isRevoked
            ? true
            : this.#begin(send);
      if (!isLeft) continue;
      blocked.add(queue);
      waiting.push(send);
    }
    this.#pending = [...waiting, ...this.#pending];
  }

  /** Asks every node. The core says at once if it does not. */
  ask(number: number, question: Uint8Array, timeout: number, combine: Combine): void {
    const tag = this.#nextTag();
    this.#asks.set(tag, number);
    let isKnown = true as boolean;
    const refused = this.#owner.run((core, now) => {
      isKnown = core.ask(now, tag, question, timeout, combine);
    });
    const refusal = isKnown ? refused : UNKNOWN;
    if (refusal !== undefined && this.#asks.delete(tag)) this.#refused(number, refusal);
  }

  /** The core has said what has become of a reply. */
  replied(tag: number, arrived: boolean): void {
    const number = this.#replies.get(tag);
    this.#replies.delete(tag);
    if (number === undefined) return;
    if (arrived) this.#owner.sent(number, 1);
    else this.#owner.unsent(number, 'undelivered', 'the reply has not arrived');
  }

  /** The core has answers to a question. */
  answered(answers: AnswersNews): void {
    const number = this.#asks.get(answers.tag);
    this.#asks.delete(answers.tag);
    if (number !== undefined) this.#owner.answers(number, answers);
  }

  #nextTag(): number {
    this.#tag += 1;
    return this.#tag;
  }

  /** Hands a message to the core, if that takes it. True if it waits, or is under way. */
  #begin(send: Pending): boolean {
    if (send.isRevoked) return false;
    const target = this.#target(send.to);
    if ('reason' in target) {
      this.#refused(send.number, target);
      return false;
    }
    const isLarge = send.payload.length > LARGE;
    // Behind others it could not be told from them.
    if (!this.#takes(target) || (isLarge && this.#rest(target) > 0)) return true;
    const receivers = this.#receivers(target);
    const refusal = target.type === 'way' ? this.#reply(send, target.way) : this.#hand(target, send.payload);
    if (refusal !== undefined) {
      this.#refused(send.number, refusal);
      return false;
    }
    if (target.type === 'way') return false;
    if (isLarge && this.#rest(target) > 0) {
      send.underWay = target;
      return true;
    }
    this.#owner.sent(send.number, receivers);
    return false;
  }

  #hand(target: Exclude<Target, { type: 'way' }>, payload: Uint8Array): Refusal | undefined {
    return this.#owner.run((core, now) => {
      switch (target.type) {
        case 'link':
          core.send(now, target.link, payload);
          return;
        case 'everyone':
          if (target.last) core.end(now, payload);
          else core.broadcast(now, payload);
          return;
        case 'root':
          core.sendUp(now, payload);
      }
    });
  }

  /** Hands a reply to the core, which says later what has become of it. */
  #reply(send: Pending, way: Uint8Array): Refusal | undefined {
    const tag = this.#nextTag();
    this.#replies.set(tag, send.number);
    let isWay = true as boolean;
    const refusal = this.#owner.run((core, now) => {
      isWay = core.reply(now, way, tag, send.payload);
    });
    const why = isWay ? refusal : NOT_CONNECTED;
    if (why !== undefined) this.#replies.delete(tag);
    return why;
  }

  /** Sees to a large message that is under way. True if it still is. */
  #lookAfter(send: Pending, target: Target): boolean {
    const present = this.#target(send.to);
    if ('reason' in present) {
      this.#refused(send.number, present);
      return false;
    }
    if (present.type === 'link' && target.type === 'link' && present.link !== target.link) {
      this.#refused(send.number, NOT_CONNECTED);
      return false;
    }
    if (send.isRevoked) {
      this.#cancel(target);
      return false;
    }
    const rest = this.#rest(target);
    this.#owner.progress(send.number, Math.max(send.payload.length - rest, 0));
    if (rest > 0) return true;
    this.#owner.sent(send.number, this.#receivers(target));
    return false;
  }

  #cancel(target: Target): void {
    this.#owner.run((core, now) => {
      if (target.type === 'link') core.cancelSend(now, target.link);
      else if (target.type === 'everyone') core.cancelBroadcast(now);
      else core.cancelSendUp(now);
    });
  }

  #target(to: Recipient): Target | Refusal {
    const core = this.#owner.core;
    const role = core.role();
    switch (to.type) {
      case 'everyone':
        if (role !== 'root') return NOT_ROOT;
        return core.hasEnded() ? ENDED : to;
      case 'neighbour': {
        const link = core.linkTo(to.node);
        return link === undefined ? NOT_CONNECTED : { type: 'link', link };
      }
      case 'root':
        if (role === 'root') return IS_ROOT;
        return role === 'detached' ? NOT_CONNECTED : to;
      case 'way':
        return role === 'root' ? to : NOT_ROOT;
    }
  }

  /** Whether the core would take a message now. */
  #takes(target: Target): boolean {
    const core = this.#owner.core;
    switch (target.type) {
      case 'link':
        return core.canSend(target.link);
      case 'everyone':
        return core.canBroadcast();
      case 'root':
      case 'way':
        return core.canSendUp();
    }
  }

  /** The bytes on this way that have not gone out. */
  #rest(target: Target): number {
    const core = this.#owner.core;
    switch (target.type) {
      case 'link':
        return core.unsent(target.link);
      case 'everyone':
        return core.restOfBroadcast();
      case 'root':
        return core.unsentUp();
      case 'way':
        // What has become of a reply, the root hears.
        return 0;
    }
  }

  #receivers(target: Target): number {
    return target.type === 'everyone' ? this.#owner.core.children() : 1;
  }

  #refused(number: number, { reason, text }: Refusal): void {
    this.#owner.unsent(number, reason, text);
  }
}

/** The name of the sends that stay in order among themselves. */
function queueOf(to: Recipient): string {
  switch (to.type) {
    case 'neighbour':
      return to.node;
    case 'everyone':
      return 'everyone';
    case 'root':
    case 'way':
      return 'passing';
  }
}
