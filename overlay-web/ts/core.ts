/**
 * The core in WebAssembly: loading it, once for each thread, and making nodes.
 */

import init, { Core } from '../build/core/overlay_web.js';
import type { Recorder } from './actions.js';

export { Core };

/** The bytes of the WebAssembly module, or the module itself. */
export type Wasm = BufferSource | WebAssembly.Module | Response | URL | Promise<Response>;

let source: (() => Wasm | Promise<Wasm>) | undefined;
let loading: Promise<void> | undefined;

/**
 * Says where the WebAssembly module comes from. The package's entry has done so; with `overlay-web/slim` a page does it itself if the
 * module is not beside the script. It has no effect after the first node.
 */
export function useWasm(from: () => Wasm | Promise<Wasm>): void {
  source = from;
}

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
  if (source === undefined) throw new Error('overlay-web: no WebAssembly module is given (useWasm)');
  await init({ module_or_path: await source() });
}

/** The settings of the core, those that differ from its defaults. */
export type CoreOptions = Record<string, unknown>;

/** A node. The module must be loaded. Throws if an option has a value that no node can keep. */
export function newCore(recorder: Recorder, options: CoreOptions): Core {
  const id = crypto.getRandomValues(new Uint8Array(16));
  const seed = crypto.getRandomValues(new Uint8Array(32));
  return new Core(id, seed, recorder, options);
}
