/** Where a node's engine runs. */

import { Recorder } from './actions.js';
import { load, newCore } from './core.js';
import { Engine } from './engine.js';
import { OverlayError } from './errors.js';
import type { Surroundings } from './explain.js';
import { coreOptions, iceUrls, rtcConfiguration, type NodeOptions } from './options.js';
import { PagePeers } from './page-peers.js';
import type { Command, Told } from './protocol.js';

/** What a node is made of, beside the language. */
const NEEDED = ['RTCPeerConnection', 'WebSocket'];

/** An engine, wherever it runs. */
export interface Backend {
  /** The node's id. */
  readonly id: string;
  /** Tells it a wish of the app. */
  command(command: Command): void;
}

/** What a page knows of itself. */
export function surroundingsOf(options: NodeOptions): Surroundings {
  const page = typeof location === 'undefined' ? undefined : location.href;
  return { page, iceServers: iceUrls(options) };
}

/** An engine in the thread of the page. */
export async function inPage(
  servers: readonly string[],
  options: NodeOptions,
  tell: (batch: readonly Told[]) => void,
): Promise<Backend> {
  for (const name of NEEDED) {
    if (name in globalThis) continue;
    throw new OverlayError('unsupported', `there is no ${name} here: a node needs a browser, or what provides it`);
  }
  await load();
  const recorder = new Recorder();
  const core = newCore(recorder, coreOptions(options));
  const peers = new PagePeers(rtcConfiguration(options), (event) => {
    engine.peerEvent(event);
  });
  const engine = new Engine({ core, recorder, peers, servers, surroundings: surroundingsOf(options), tell });
  return {
    id: core.id(),
    command: (command) => {
      engine.command(command);
    },
  };
}
