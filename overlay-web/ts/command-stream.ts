/**
 * The stream of the `overlay root` command, as bytes.
 *
 * The command sends its standard input in messages, each with a header that says where its bytes are in the stream. So
 * `overlay join` knows what it lacks, and so does {@link fromCommand}. Nobody else needs to know the header:
 *
 *     tag 0: epoch, offset, length, and so many bytes
 *     tag 1: epoch, total length, and whether that was all of the input
 *
 * Numbers are varints of 7 bits a byte, the lowest first (postcard). `overlay-cli/src/pipe.rs` is the other side.
 */

import type { Message } from './message.js';

/** Bytes that are missing from a command's stream. */
export interface MissingBytes {
  /** The place of the first one. */
  readonly offset: number;
  /** How many they are. */
  readonly bytes: number;
}

/** Options of {@link fromCommand}. */
export interface CommandOptions {
  /** Hears of bytes that no node had any more. Without it, they are an error of the stream. */
  readonly onGap?: (gap: MissingBytes) => void;
}

/** A node, as far as this needs it. */
interface Source {
  /** @internal */
  nextMessage(): Promise<Message | undefined>;
}

/**
 * The bytes that the `overlay root` command sends, from where the node came in to the end of the command's input.
 *
 * ```js
 * const text = fromCommand(node).pipeThrough(new TextDecoderStream())
 * for await (const piece of text) document.body.append(piece)
 * ```
 *
 * It takes the node's messages, so don't iterate over the node as well. What is not read holds the tree back, as long as the root
 * waits for slow nodes. Messages that are not the command's are left out.
 *
 * The stream ends where the command's input ends. It fails if bytes are missing and there is no {@link CommandOptions.onGap}, and
 * if the command could not read its input to the end. If a root is gone before its end, the next one's stream follows.
 */
export function fromCommand(node: Source, { onGap }: CommandOptions = {}): ReadableStream<Uint8Array> {
  const place = new Place(onGap);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const message = await node.nextMessage();
          const piece = message === undefined ? undefined : parse(message.bytes);
          if (message === undefined) {
            controller.close();
            return;
          }
          if (piece === undefined) continue;
          if (piece.type === 'end') {
            place.end(piece);
            controller.close();
            return;
          }
          const fresh = place.part(piece);
          if (fresh.length === 0) continue;
          controller.enqueue(fresh);
          return;
        }
      },
    },
    { highWaterMark: 0 },
  );
}

interface Part {
  readonly type: 'part';
  readonly epoch: bigint;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface End {
  readonly type: 'end';
  readonly epoch: bigint;
  readonly total: number;
  readonly isWhole: boolean;
}

/** How far a reader is. */
class Place {
  readonly #onGap: ((gap: MissingBytes) => void) | undefined;
  #epoch: bigint | undefined;
  #next = 0;

  constructor(onGap: ((gap: MissingBytes) => void) | undefined) {
    this.#onGap = onGap;
  }

  /** The bytes of a part that were not there before. */
  part({ epoch, offset, bytes }: Part): Uint8Array {
    this.#comeTo(epoch, offset);
    const fresh = bytes.subarray(Math.max(this.#next - offset, 0));
    this.#next = Math.max(this.#next, offset + bytes.length);
    return fresh;
  }

  end({ epoch, total, isWhole }: End): void {
    this.#comeTo(epoch, total);
    if (!isWhole) throw new Error('the root could not read its input to the end');
  }

  #comeTo(epoch: bigint, offset: number): void {
    if (this.#epoch !== epoch) {
      // Of the first stream it came in to, a reader has a right to what follows; of another root's, to all.
      this.#next = this.#epoch === undefined ? offset : 0;
      this.#epoch = epoch;
    }
    if (offset <= this.#next) return;
    const gap = { offset: this.#next, bytes: offset - this.#next };
    if (this.#onGap === undefined) throw new Error(`${gap.bytes} bytes are missing from byte ${gap.offset} on`);
    this.#onGap(gap);
    this.#next = offset;
  }
}

/** The meaning of a message. `undefined` if it is none of the command's. */
function parse(bytes: Uint8Array): Part | End | undefined {
  const reader = new Reader(bytes);
  const tag = reader.number();
  const epoch = reader.number();
  const place = reader.number();
  if (tag === undefined || epoch === undefined || place === undefined) return undefined;
  if (tag === 0n) {
    const length = reader.number();
    const rest = reader.rest();
    if (length !== BigInt(rest.length)) return undefined;
    return { type: 'part', epoch, offset: Number(place), bytes: rest };
  }
  const [isWhole, ...more] = reader.rest();
  if (tag !== 1n || isWhole === undefined || isWhole > 1 || more.length > 0) return undefined;
  return { type: 'end', epoch, total: Number(place), isWhole: isWhole === 1 };
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The next varint. `undefined` if there is none. */
  number(): bigint | undefined {
    let number = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return undefined;
      this.#at += 1;
      number |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    return undefined;
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }
}
