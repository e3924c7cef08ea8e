/** The WebSocket to a bootstrap server. */

import type { ServerTrouble } from './explain.js';

/** What a connection tells the engine, each with its attempt. */
export interface ServerOwner {
  serverOpened(attempt: number): void;
  serverMessage(attempt: number, bytes: Uint8Array<ArrayBuffer>): void;
  serverClosed(attempt: number, trouble: ServerTrouble): void;
}

/** Most bytes that wait for the server. It takes less than that in the worst of joins. */
const MAX_BUFFERED = 1024 * 1024;

/** One connection to a server, or the attempt at one. */
export class ServerConnection {
  readonly attempt: number;
  readonly #url: string;
  readonly #owner: ServerOwner;
  #socket: WebSocket | undefined;
  #wasOpen = false;
  #isOver = false;

  constructor(attempt: number, url: string, owner: ServerOwner) {
    this.attempt = attempt;
    this.#url = url;
    this.#owner = owner;
    try {
      this.#socket = this.#connect();
    } catch (error) {
      // A page on https may not even try a ws: address. The core hears of it when it has carried out its actions.
      queueMicrotask(() => {
        this.#end({ kind: 'forbidden', url, text: String(error) });
      });
    }
  }

  /** Sends a frame. A server that takes nothing any more has closed. */
  send(frame: Uint8Array): void {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > MAX_BUFFERED) {
      queueMicrotask(() => {
        this.#end({ kind: 'stalled', url: this.#url });
      });
      return;
    }
    socket.send(frame as Uint8Array<ArrayBuffer>);
  }

  /** Closes the connection, after what was sent before. No event follows. */
  close(): void {
    this.#isOver = true;
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #connect(): WebSocket {
    const socket = new WebSocket(this.#url);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#wasOpen = true;
      this.#owner.serverOpened(this.attempt);
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data instanceof ArrayBuffer) this.#owner.serverMessage(this.attempt, new Uint8Array(data));
      else this.#end({ kind: 'not-ours', url: this.#url });
    };
    socket.onclose = () => {
      this.#end({ kind: this.#wasOpen ? 'closed' : 'unreachable', url: this.#url });
    };
    return socket;
  }

  #end(trouble: ServerTrouble): void {
    if (this.#isOver) return;
    this.close();
    this.#owner.serverClosed(this.attempt, trouble);
  }
}
