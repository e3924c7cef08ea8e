/**
 * The same as `overlay-web`, with the WebAssembly module in a file of its own: `overlay-web/overlay.wasm`. It is looked for beside the
 * script, and {@link useWasm} says if it is elsewhere.
 *
 * @packageDocumentation
 */

import { useWasm } from './wasm.js';

export * from './exports.js';
export { useWasm, type Wasm } from './wasm.js';

useWasm(() => fetch(new URL('./overlay.wasm', import.meta.url)));
