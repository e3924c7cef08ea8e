/**
 * The words between the two halves of a node: the app's side, {@link OverlayNode}, and the {@link Engine} that runs the core.
 *
 * All of it is plain data, so that the engine can be in a worker and the app in the page.
 */

import type { Combine, PublicNews, QuestionNews, Status } from './news.js';
import type { Scope } from './actions.js';
import type { Trouble } from './explain.js';

/** The receivers of a message that is sent. */
export type Recipient =
  | { readonly type: 'neighbour'; readonly node: string }
  | { readonly type: 'everyone'; readonly last: boolean }
  | { readonly type: 'root' }
  | { readonly type: 'way'; readonly way: Uint8Array };

/** A wish of the app. */
export type Command =
  | { readonly type: 'join' }
  | { readonly type: 'becomeRoot'; readonly token: string }
  /** `now`: without waiting for the children to find other parents, because the page is about to go. */
  | { readonly type: 'leave'; readonly now: boolean }
  | { readonly type: 'close'; readonly node: string }
  /** Sends a message. What becomes of it is told with the same number. */
  | { readonly type: 'send'; readonly number: number; readonly to: Recipient; readonly payload: Uint8Array }
  /** Takes a message back, as far as it is not sent. */
  | { readonly type: 'revoke'; readonly number: number }
  | {
      readonly type: 'ask';
      readonly number: number;
      readonly question: Uint8Array;
      readonly timeout: number;
      readonly combine: Combine;
    }
  | { readonly type: 'answer'; readonly root: string; readonly tag: number; readonly answer: Uint8Array | undefined }
  | { readonly type: 'combined'; readonly root: string; readonly tag: number; readonly value: Uint8Array }
  | { readonly type: 'consumed'; readonly receipt: number }
  | { readonly type: 'status'; readonly number: number };

/** A code for why a message was not sent. */
export type SendErrorCode =
  'not-connected' | 'not-root' | 'is-root' | 'too-long' | 'ended' | 'backlog' | 'unsent' | 'undelivered' | 'gone';

/** The answers to a question. */
export interface AnswersData {
  readonly answered: number;
  readonly omitted: number;
  readonly asked: number;
  readonly value: Uint8Array;
  readonly nodes: readonly string[];
  readonly each: readonly Uint8Array[];
}

/** What the engine tells the app's side. */
export type Told =
  | { readonly type: 'news'; readonly news: PublicNews }
  | { readonly type: 'question'; readonly question: QuestionNews }
  | {
      readonly type: 'message';
      readonly from: string;
      readonly scope: Scope;
      readonly payload: Uint8Array;
      readonly receipt: number;
    }
  | { readonly type: 'state'; readonly status: Status }
  /** A message has gone out, to so many neighbours. */
  | { readonly type: 'sent'; readonly number: number; readonly receivers: number }
  | { readonly type: 'unsent'; readonly number: number; readonly code: SendErrorCode; readonly text: string }
  | { readonly type: 'progress'; readonly number: number; readonly bytes: number }
  | { readonly type: 'answers'; readonly number: number; readonly answers: AnswersData }
  | { readonly type: 'status'; readonly number: number; readonly status: Status; readonly stats: unknown }
  | {
      readonly type: 'combine';
      readonly root: string;
      readonly tag: number;
      readonly left: Uint8Array;
      readonly right: Uint8Array;
    }
  | { readonly type: 'trouble'; readonly trouble: Trouble }
  /** The core has failed. Nothing comes after this. */
  | { readonly type: 'crashed'; readonly text: string };
