/**
 * Actions of the core as data, and the sink that writes them down.
 *
 * The core calls the sink in the middle of its own work. So the sink only appends to a list: whoever called the core carries the
 * list out when the core is free again.
 */

import type { News } from './news.js';

/** The receivers of a message, as the core tells them. */
export type Scope =
  | { readonly type: 'direct' }
  | { readonly type: 'broadcast'; readonly position: Position }
  | { readonly type: 'end'; readonly position: Position }
  | { readonly type: 'root'; readonly way: Uint8Array }
  | { readonly type: 'reply' };

/**
 * A place in a root's stream of broadcasts: before a message, or behind the last one so far. The same message has the same
 * position at every node, and a page that keeps one in its storage can start there again (`from`).
 */
export interface Position {
  /** The id of the root whose stream it is. */
  readonly root: string;
  /** The root's epoch. */
  readonly epoch: number;
  /** The bytes of the stream before it. 0 is the beginning. */
  readonly offset: number;
}

/** Something for the driver to do. */
export type Action =
  | { readonly type: 'openLink'; readonly link: number; readonly offer: string | undefined }
  | { readonly type: 'answer'; readonly link: number; readonly answer: string }
  | { readonly type: 'iceCandidate'; readonly link: number; readonly candidate: string }
  | { readonly type: 'transmit'; readonly link: number; readonly bytes: Uint8Array; readonly tells: boolean }
  | { readonly type: 'closeLink'; readonly link: number; readonly reason: string }
  | { readonly type: 'connectBootstrap'; readonly attempt: number }
  | { readonly type: 'sendBootstrap'; readonly attempt: number; readonly bytes: Uint8Array }
  | { readonly type: 'closeBootstrap'; readonly attempt: number }
  | {
      readonly type: 'deliver';
      readonly from: string;
      readonly scope: Scope;
      readonly payload: Uint8Array;
      readonly receipt: number;
    }
  | {
      readonly type: 'combine';
      readonly root: string;
      readonly tag: number;
      readonly left: Uint8Array;
      readonly right: Uint8Array;
    }
  | { readonly type: 'notify'; readonly news: News };

/** The list that the core's actions are written to. Its methods are those that the WebAssembly module imports. */
export class Recorder {
  #actions: Action[] = [];

  /** The actions since the last call, in order. */
  take(): readonly Action[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  openLink(link: number, offer: string | undefined): void {
    this.#actions.push({ type: 'openLink', link, offer });
  }

  answer(link: number, answer: string): void {
    this.#actions.push({ type: 'answer', link, answer });
  }

  iceCandidate(link: number, candidate: string): void {
    this.#actions.push({ type: 'iceCandidate', link, candidate });
  }

  transmit(link: number, bytes: Uint8Array, tells: boolean): void {
    this.#actions.push({ type: 'transmit', link, bytes, tells });
  }

  closeLink(link: number, reason: string): void {
    this.#actions.push({ type: 'closeLink', link, reason });
  }

  connectBootstrap(attempt: number): void {
    this.#actions.push({ type: 'connectBootstrap', attempt });
  }

  sendBootstrap(attempt: number, bytes: Uint8Array): void {
    this.#actions.push({ type: 'sendBootstrap', attempt, bytes });
  }

  closeBootstrap(attempt: number): void {
    this.#actions.push({ type: 'closeBootstrap', attempt });
  }

  deliver(from: string, scope: Scope, payload: Uint8Array, receipt: number): void {
    this.#actions.push({ type: 'deliver', from, scope, payload, receipt });
  }

  combine(root: string, tag: number, left: Uint8Array, right: Uint8Array): void {
    this.#actions.push({ type: 'combine', root, tag, left, right });
  }

  notify(news: News): void {
    this.#actions.push({ type: 'notify', news });
  }
}
