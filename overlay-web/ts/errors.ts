/** Errors of this package. */

import type { SendErrorCode } from './protocol.js';

/**
 * The code of an {@link OverlayError}.
 *
 * - `not-connected`: there is no such neighbour, or the node is not in a tree.
 * - `not-root`, `is-root`: only the root may do that, or only another node.
 * - `too-long`: the message is longer than its limit.
 * - `ended`: the root has ended its stream.
 * - `backlog`: more questions are open than a node remembers.
 * - `undelivered`: a reply has not arrived, as far as the root can know.
 * - `refused`: the server refuses this node, and another attempt can't succeed.
 * - `unsupported`: there is no WebRTC, or no WebSocket, where this runs.
 * - `left`: the node has left the tree.
 * - `failed`: the node's core has failed, which is a bug of this package.
 * - `gone`, `unsent`: the message will not be sent, for another reason.
 */
export type ErrorCode = SendErrorCode | 'refused' | 'unsupported' | 'left' | 'failed';

/** An error of a node. */
export class OverlayError extends Error {
  override readonly name = 'OverlayError';
  /** What has happened, for programs. */
  readonly code: ErrorCode;

  /** An error with this code, and a text for people. */
  constructor(code: ErrorCode, text: string) {
    super(text);
    this.code = code;
  }
}
