/**
 * One data channel, as the engine uses it: frames out with bounds, and an end that comes once.
 *
 * What the browser holds for sending is bounded, so that nothing urgent waits behind it. The rest waits here.
 */

/**
 * Bytes that the browser holds for sending before frames wait here. Measured between two tabs: 64 KiB carry as many MB/s as
 * 256 KiB, and lose no datagram.
 */
const MAX_BUFFERED = 64 * 1024;

/** The level at which the browser says that it takes more. */
const LOW = 32 * 1024;

/** Most bytes that wait here. Credit keeps app messages far below, so a peer with so much to take takes nothing at all. */
const MAX_BACKLOG = 1024 * 1024;

/** The cost of a frame beside its bytes, so that empty ones are bounded as well. */
const OVERHEAD = 64;

/** Milliseconds for which a closed channel goes on sending what was queued. A goodbye needs one round trip. */
const FLUSH_TIMEOUT = 1_000;

/** What a channel tells its owner. */
export interface ChannelOwner {
  opened(): void;
  message(bytes: Uint8Array<ArrayBuffer>): void;
  /** There is room again. */
  room(): void;
  /** The channel is over: closed by the peer, broken, or blocked by a peer that takes nothing. Comes at most once. */
  closed(): void;
}

type State = 'live' | 'flushing' | 'over';

/** A data channel with a bounded queue. */
export class Channel {
  readonly #channel: RTCDataChannel;
  readonly #owner: ChannelOwner;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #state: State = 'live';
  #flushed: (() => void) | undefined;
  #flushTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(channel: RTCDataChannel, owner: ChannelOwner) {
    this.#channel = channel;
    this.#owner = owner;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = LOW;
    channel.onopen = () => {
      this.#pump();
      if (this.#state === 'live') owner.opened();
    };
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (this.#state !== 'live') return;
      // A text is no frame, and no honest peer sends one.
      if (data instanceof ArrayBuffer) owner.message(new Uint8Array(data));
      else this.#end();
    };
    channel.onbufferedamountlow = () => {
      this.#pump();
      if (this.#state === 'live') owner.room();
    };
    channel.onclose = () => {
      this.#end();
    };
  }

  /** Whether the browser has taken all frames, and would take another at once. */
  get hasRoom(): boolean {
    return this.#queue.length === 0 && this.#channel.bufferedAmount <= MAX_BUFFERED;
  }

  /** Sends a frame, once there is room for it. A channel that is over drops it. */
  send(frame: Uint8Array): void {
    if (this.#state !== 'live') return;
    this.#queue.push(frame);
    this.#queued += frame.length + OVERHEAD;
    this.#pump();
    if (this.#queued > MAX_BACKLOG) this.#end();
  }

  /** Closes the channel after what was sent before. Resolves when the peer has it, or has had a second to take it. */
  close(): Promise<void> {
    if (this.#state !== 'live') return Promise.resolve();
    if (this.#channel.readyState !== 'open') {
      this.#finish();
      return Promise.resolve();
    }
    this.#state = 'flushing';
    return new Promise((resolve) => {
      this.#flushed = resolve;
      this.#flushTimer = setTimeout(() => {
        this.#finish();
      }, FLUSH_TIMEOUT);
      this.#pump();
    });
  }

  /** Gives the browser what it has room for. */
  #pump(): void {
    const channel = this.#channel;
    let sent = 0;
    try {
      while (channel.readyState === 'open' && sent < this.#queue.length) {
        if (channel.bufferedAmount > MAX_BUFFERED) break;
        const frame = this.#queue[sent] as Uint8Array<ArrayBuffer>;
        sent += 1;
        this.#queued -= frame.length + OVERHEAD;
        channel.send(frame);
      }
    } catch {
      // The channel has broken between two events. Its end comes as an event of its own.
    }
    if (sent > 0) this.#queue = this.#queue.slice(sent);
    // Closing sends what the browser holds, and no more: so it comes behind the last frame.
    if (this.#state === 'flushing' && this.#queue.length === 0) channel.close();
  }

  #end(): void {
    const wasLive = this.#state === 'live';
    this.#finish();
    if (wasLive) this.#owner.closed();
  }

  #finish(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    clearTimeout(this.#flushTimer);
    const channel = this.#channel;
    channel.onopen = channel.onmessage = channel.onbufferedamountlow = channel.onclose = null;
    channel.close();
    this.#queue = [];
    this.#queued = 0;
    this.#flushed?.();
    this.#flushed = undefined;
  }
}
