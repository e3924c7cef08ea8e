/** Options of a node. */

import type { Position } from './actions.js';

/** Options of a node. All have defaults that suit most pages. */
export interface NodeOptions {
  /** The name of the tree, on a server that carries several. Default: `default`. */
  readonly overlay?: string;
  /**
   * The most children that this node takes, up to 1024. 0 makes it a leaf. Default 10, which a browser tab bears well. Each is a
   * peer connection.
   */
  readonly maxDegree?: number;
  /** STUN and TURN servers. Default: none, which is enough where nodes reach each other's own addresses. */
  readonly iceServers?: readonly RTCIceServer[];
  /** `relay`: only through TURN servers, so that no peer learns this machine's addresses. Default: `all`. */
  readonly iceTransportPolicy?: RTCIceTransportPolicy;
  /**
   * Where the node comes into the root's stream: with the next message (`live`, the default), with the oldest one that its parent
   * still has, or at a position that it was at before.
   */
  readonly from?: 'live' | 'oldest' | Position;
  /** The bytes of the root's stream that the node keeps for those that come later, or come back. Default: 1 MiB. */
  readonly history?: number;
  /** The longest message, in bytes. Default: 16 MiB. All nodes of a tree should have the same. */
  readonly maxMessage?: number;
  /** The choice of a child for a joiner that this node has no place for. Default: `balanced`. */
  readonly policy?: 'balanced' | 'hash';
  /** At the root, what becomes of nodes that take nothing: all wait, it misses something, or it loses its place. Default: `wait`. */
  readonly slow?: 'wait' | 'skip' | 'disconnect';
  /** The app's function that makes one answer of two, for questions that are combined by `app`. */
  readonly combine?: (left: Uint8Array, right: Uint8Array) => Uint8Array;
  /**
   * Whether the node's messages come to the app. `drop`: the node only passes on, as an app does that shows nothing. Default:
   * `deliver`, and the app must take them, or the tree waits for it.
   */
  readonly messages?: 'deliver' | 'drop';
  /** Whether the node leaves when its page goes, and joins again when the page comes back. Default: yes. */
  readonly followsPage?: boolean;
}

/** Options of {@link join} and {@link becomeRoot}. */
export interface JoinOptions extends NodeOptions {
  /** Gives up when it is aborted: the node leaves, and the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The longest message where the options don't say. */
export const MAX_MESSAGE = 16 * 1024 * 1024;

/** The settings of the core, those that differ from its defaults. */
export type CoreOptions = Record<string, unknown>;

/** The options that are the core's. */
export function coreOptions(options: NodeOptions): CoreOptions {
  const { overlay, maxDegree, from, history, maxMessage, policy, slow } = options;
  return { overlay, maxDegree, from, history, maxMessage, policy, slow };
}

/** The options that are the browser's. */
export function rtcConfiguration({ iceServers, iceTransportPolicy }: NodeOptions): RTCConfiguration {
  return { iceServers: [...(iceServers ?? [])], iceTransportPolicy: iceTransportPolicy ?? 'all' };
}

/** The addresses of all ICE servers. */
export function iceUrls({ iceServers }: NodeOptions): string[] {
  return (iceServers ?? []).flatMap((server) => server.urls);
}
