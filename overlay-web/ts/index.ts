/**
 * A self-organising tree over WebRTC, for browser tabs.
 *
 * ```js
 * import { join } from 'overlay-web'
 *
 * const node = await join('wss://example.org')
 * for await (const message of node) console.log(message.text())
 * ```
 *
 * One root sends to every node. Each node passes on to its children, so nobody needs many connections, and no server carries the
 * traffic. Tabs and native programs are neighbours in one tree.
 *
 * - {@link join} and {@link becomeRoot} give an {@link OverlayNode}, which is in the tree; {@link create} one that is not yet.
 * - {@link OverlayNode} sends, asks, leaves, and tells what happens.
 * - {@link fromCommand} reads what the `overlay root` command sends.
 *
 * This entry is one file, with the WebAssembly module in it. `overlay-web/slim` has it beside it, for pages that stream it or whose
 * content security policy forbids `data:`.
 *
 * @packageDocumentation
 */

import { useWasm } from './wasm.js';
import { unpack } from './inline.js';

export * from './exports.js';

useWasm(unpack);
