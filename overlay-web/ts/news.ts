/**
 * News of a node: what the core tells its app, as plain data.
 *
 * `overlay-web/src/news.rs` makes these objects.
 */

import type { Position } from './actions.js';

/** The reason code of a message that was not sent. */
export type UnsentReason = 'not-connected' | 'not-root' | 'is-root' | 'too-long' | 'ended' | 'backlog' | 'unsent';

/** News that an app can listen to with {@link OverlayNode.on}. */
export type PublicNews =
  /** The node has a parent: it is in the tree. `attempt` counts from 1 since it last had one. */
  | { readonly type: 'parent'; readonly node: string; readonly depth: number; readonly attempt: number }
  /** The parent is gone. The node keeps its children and looks for another parent, unless it is leaving. */
  | { readonly type: 'parentLost'; readonly node: string; readonly reason: string }
  /** A node that had lost its parent has one again, after so many milliseconds. */
  | { readonly type: 'reattached'; readonly node: string; readonly took: number }
  /** The node has another child. */
  | { readonly type: 'child'; readonly node: string }
  /** A child is gone. It may not have taken the last `unconfirmed` bytes that it was sent. */
  | { readonly type: 'childLost'; readonly node: string; readonly reason: string; readonly unconfirmed: number }
  /** The path has changed: a node above has moved, or another root has taken over. The parent is the same. */
  | { readonly type: 'depth'; readonly depth: number; readonly epoch: number }
  /**
   * The nodes below this one have changed: `nodes[d]` are `d` levels below it, itself at 0. `finished` have the root's stream to
   * its end, `gapped` have missed some of it, and it is `settled` if none is missing that may come back.
   */
  | {
      readonly type: 'tree';
      readonly nodes: readonly number[];
      readonly finished: number;
      readonly gapped: number;
      readonly settled: boolean;
    }
  /** The server knows another root. This node joins its tree, and may be the next root. */
  | { readonly type: 'standby'; readonly epoch: number }
  /** This node is the root now. */
  | { readonly type: 'promoted'; readonly epoch: number }
  /** This node is the root no more: another one has taken over. */
  | { readonly type: 'steppedDown'; readonly epoch: number }
  /** The tree has another root than before. */
  | { readonly type: 'rootChanged'; readonly epoch: number; readonly root: string }
  /** An attempt to join has failed. The node tries again after `retryIn` milliseconds. */
  | { readonly type: 'rejected'; readonly reason: string; readonly retryIn: number }
  /** The server has this node registered. */
  | { readonly type: 'registered' }
  /**
   * There is no connection to the server, though there should be one. The node tries again after `retryIn` milliseconds; without
   * that, another attempt can't succeed.
   */
  | { readonly type: 'serverLost'; readonly reason: string; readonly retryIn: number | undefined }
  /** What is between these two positions of the root's stream will not come any more. */
  | { readonly type: 'gap'; readonly from: Position; readonly to: Position }
  /** The stream had ended before this node came in. What its parent still has of it comes, from this position on. */
  | { readonly type: 'behindTheEnd'; readonly from: Position }
  /** A node takes nothing, though its parent has something for it: so many bytes, for so many milliseconds. */
  | { readonly type: 'stalled'; readonly node: string; readonly behind: number; readonly lasting: number }
  /** The root's stream has ended while this node was not in the tree, and so many bytes of it will not come. */
  | { readonly type: 'streamEnded'; readonly missed: number; readonly last: Uint8Array }
  /** The node has left: it has no link and wants none. */
  | { readonly type: 'left' };

/** A question of the root, as it comes to a node. */
export interface QuestionNews {
  readonly type: 'question';
  readonly root: string;
  readonly tag: number;
  readonly payload: Uint8Array;
  readonly combine: Combine;
  /** Milliseconds in which an answer is of use. */
  readonly left: number;
}

/** The answers to a question of this node. */
export interface AnswersNews {
  readonly type: 'answers';
  readonly tag: number;
  readonly answered: number;
  readonly omitted: number;
  readonly asked: number;
  readonly value: Uint8Array;
  readonly nodes: readonly string[];
  readonly each: readonly Uint8Array[];
}

/** How answers become one on their way up. */
export type Combine = 'each' | 'count' | 'sum' | 'min' | 'max' | 'app';

/** All that the core tells. */
export type News =
  | PublicNews
  | QuestionNews
  | AnswersNews
  | { readonly type: 'bootstrapLost'; readonly refusal: string | undefined; readonly retryIn: number | undefined }
  | { readonly type: 'unsent'; readonly reason: UnsentReason; readonly text: string }
  | { readonly type: 'replied'; readonly tag: number; readonly arrived: boolean };

/** A node's state at one moment, as it is pushed to the app's side. */
export interface Status {
  /** What the node is in the tree. */
  readonly role: Role;
  /** The parent's id. */
  readonly parent: string | undefined;
  /** The children's ids. */
  readonly children: readonly string[];
  /** The ids from the root to this node. Empty while it has no parent and is not the root. */
  readonly path: readonly string[];
  /** The root's epoch. */
  readonly epoch: number;
  /** Whether the node may take over when the root is gone. */
  readonly standby: boolean;
  /** How many nodes are at each level of its subtree, itself at 0. */
  readonly subtree: readonly number[];
  /** How far it has come with the root's stream. */
  readonly position: Position | undefined;
}

/** The role of a node in the tree. */
export type Role = 'detached' | 'joining' | 'member' | 'root' | 'leaving';
