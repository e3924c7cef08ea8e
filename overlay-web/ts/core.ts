/**
 * The core in WebAssembly: loading it, once for each thread, and making nodes.
 */

import init, { Core } from '../build/core/overlay_web.js';
import type { Recorder } from './actions.js';
import type { CoreOptions } from './options.js';
import { given } from './wasm.js';

export { Core };

let loading: Promise<void> | undefined;

/** Loads the module, if it is not there yet. */
export async function load(): Promise<void> {
  loading ??= fetchModule();
  try {
    await loading;
  } catch (error) {
    // Another attempt may succeed, if the network was the reason.
    loading = undefined;
    throw error;
  }
}

async function fetchModule(): Promise<void> {
  await init({ module_or_path: await given() });
}

/** A node. The module must be loaded. Throws if an option has a value that no node can keep. */
export function newCore(recorder: Recorder, options: CoreOptions): Core {
  const id = crypto.getRandomValues(new Uint8Array(16));
  const seed = crypto.getRandomValues(new Uint8Array(32));
  return new Core(id, seed, recorder, options);
}
