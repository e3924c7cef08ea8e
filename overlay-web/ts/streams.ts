/** A node as the streams of the platform. */

import type { Message } from './message.js';
import type { Payload } from './payload.js';

/** The bytes of messages, one chunk each. What is not read holds its sender back. */
export function readableOf(next: () => Promise<Message | undefined>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const message = await next();
        if (message === undefined) controller.close();
        else controller.enqueue(message.bytes);
      },
    },
    // Nothing is taken before it is read.
    { highWaterMark: 0 },
  );
}

/** A stream whose chunks are sent one by one. It takes the next when the last one is on its way. */
export function writableOf(send: (payload: Payload) => Promise<unknown>): WritableStream<Payload> {
  return new WritableStream<Payload>({
    async write(chunk) {
      await send(chunk);
    },
  });
}
