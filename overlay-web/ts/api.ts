/** The functions that the package's entries export. */

import { inPage, surroundingsOf } from './backend.js';
import { OverlayNode } from './node.js';
import type { JoinOptions, NodeOptions } from './options.js';
import type { Told } from './protocol.js';

/**
 * Joins a tree. Resolves with the node when it has a parent, and stays in the tree from then on: whatever fails, it tries again.
 *
 * ```js
 * const node = await join('wss://example.org', { signal: AbortSignal.timeout(10_000) })
 * for await (const message of node) console.log(message.text())
 * ```
 *
 * `server` is the address of a bootstrap server, or several that are tried in turn. Rejects when the server refuses the node for good,
 * and when `signal` is aborted. To hear of failures meanwhile, {@link create} the node first.
 */
export async function join(server: string | readonly string[], options: JoinOptions = {}): Promise<OverlayNode> {
  options.signal?.throwIfAborted();
  const node = await create(server, options);
  await node.join(options.signal);
  return node;
}

/**
 * Becomes the root of a tree, or a standby for it. `token` proves the right to it to the server. Resolves with the node when it is the one
 * or the other, which its `role` tells. Rejects as {@link join} does.
 */
export async function becomeRoot(
  server: string | readonly string[],
  token: string,
  options: JoinOptions = {},
): Promise<OverlayNode> {
  options.signal?.throwIfAborted();
  const node = await create(server, options);
  await node.becomeRoot(token, options.signal);
  return node;
}

/**
 * A node that is in no tree yet: for an app that listens to its events before it joins. Rejects if an option has a value that no
 * node can keep.
 */
export async function create(server: string | readonly string[], options: NodeOptions = {}): Promise<OverlayNode> {
  const servers = typeof server === 'string' ? [server] : [...server];
  const early: Told[] = [];
  let take = (batch: readonly Told[]): void => void early.push(...batch);
  const backend = await inPage(servers, options, (batch) => {
    take(batch);
  });
  const node = new OverlayNode(backend, servers, surroundingsOf(options), options);
  take = (batch) => {
    node.take(batch);
  };
  take(early);
  return node;
}
