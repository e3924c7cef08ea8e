/** The WebAssembly module that is packed into the script. */

import packed from '../build/packed.js';

/** The module's bytes. Deflated before base64, they make the script half as long, and are unpacked in a few milliseconds. */
export async function unpack(): Promise<ArrayBuffer> {
  const deflated = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Response(stream).arrayBuffer();
}
