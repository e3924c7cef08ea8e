/** Where the WebAssembly module comes from. */

/** The bytes of the WebAssembly module, or the module itself. */
export type Wasm = BufferSource | WebAssembly.Module | Response | URL | Promise<Response>;

let source: (() => Wasm | Promise<Wasm>) | undefined;

/**
 * Says where the WebAssembly module comes from. The package's entry has done so; with `overlay-web/slim` a page does it itself if the
 * module is not beside the script. It has no effect after the first node.
 */
export function useWasm(from: () => Wasm | Promise<Wasm>): void {
  source = from;
}

/** The module, from where it is to come. */
export function given(): Wasm | Promise<Wasm> {
  if (source === undefined) throw new Error('overlay-web: no WebAssembly module is given (useWasm)');
  return source();
}
