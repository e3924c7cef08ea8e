/** The bytes of what an app sends. */

/** What an app may send: a text, which goes as UTF-8, or bytes. */
export type Payload = string | ArrayBuffer | ArrayBufferView;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A copy of a payload's bytes: what the app does to its buffer afterwards changes nothing. */
export function bytesOf(payload: Payload): Uint8Array {
  if (typeof payload === 'string') return encoder.encode(payload);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload.slice(0));
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength).slice();
}

/** Bytes as text. Bytes that are no UTF-8 become replacement characters. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** A whole number as the tree combines it: 8 bytes, the lowest first. */
export function bytesOfNumber(number: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(number), true);
  return bytes;
}

/** The number of 8 such bytes. `undefined` if it is none. */
export function numberOf(bytes: Uint8Array): bigint | undefined {
  if (bytes.length !== 8) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true);
}
