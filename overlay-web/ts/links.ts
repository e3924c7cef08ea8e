/**
 * The links of a node: which peer connection and which channel each of them is.
 *
 * The core names links, {@link Peers} names connections. A link is over when the core has been told so, or has closed it itself; what
 * is left of it then finishes in the background.
 */

import { Channel } from './channel.js';
import type { Loss } from './explain.js';
import type { PeerEvent, Peers } from './peers.js';

/** What links tell the engine. */
export interface LinksOwner {
  offered(link: number, offer: string): void;
  answered(link: number, answer: string): void;
  found(link: number, candidate: string): void;
  opened(link: number): void;
  message(link: number, bytes: Uint8Array<ArrayBuffer>): void;
  drained(link: number): void;
  closed(link: number, loss: Loss | undefined): void;
  /** The last link that was being closed is gone. */
  finished(): void;
}

interface Link {
  readonly id: number;
  readonly peer: number;
  readonly offers: boolean;
  channel: Channel | undefined;
  /** Whether the core waits to hear that the channel has taken all. */
  owesDrained: boolean;
}

/** All links of one node. */
export class Links {
  readonly #peers: Peers;
  readonly #owner: LinksOwner;
  readonly #byLink = new Map<number, Link>();
  readonly #byPeer = new Map<number, Link>();
  #latest = 0;
  #closing = 0;

  constructor(peers: Peers, owner: LinksOwner) {
    this.#peers = peers;
    this.#owner = owner;
  }

  /** Whether no link is there, and none is being closed. */
  get areFinished(): boolean {
    return this.#byLink.size === 0 && this.#closing === 0;
  }

  /** Opens a link: as the side that answers, if there is an offer. */
  open(id: number, offer: string | undefined): void {
    this.#latest += 1;
    const peer = this.#latest;
    const link: Link = { id, peer, offers: offer === undefined, channel: undefined, owesDrained: false };
    this.#byLink.set(id, link);
    this.#byPeer.set(peer, link);
    this.#peers.request(offer === undefined ? { type: 'offer', peer } : { type: 'answer', peer, offer });
  }

  /** Takes the peer's answer. */
  answer(id: number, answer: string): void {
    const link = this.#byLink.get(id);
    if (link !== undefined) this.#peers.request({ type: 'answered', peer: link.peer, answer });
  }

  /** Takes an ICE candidate of the peer. */
  candidate(id: number, candidate: string): void {
    const link = this.#byLink.get(id);
    if (link !== undefined) this.#peers.request({ type: 'iceCandidate', peer: link.peer, candidate });
  }

  /** Sends a frame. If it `tells`, `drained` follows when the channel has taken all that it was given. */
  transmit(id: number, bytes: Uint8Array, tells: boolean): void {
    const link = this.#byLink.get(id);
    if (link?.channel === undefined) return;
    link.owesDrained ||= tells;
    link.channel.send(bytes);
  }

  /** Tells of the channels that have taken all since the last call. */
  tellDrained(): void {
    for (const link of this.#byLink.values()) {
      if (!link.owesDrained || !link.channel?.hasRoom) continue;
      link.owesDrained = false;
      this.#owner.drained(link.id);
    }
  }

  /** Closes a link, after what was sent before. */
  close(id: number): void {
    const link = this.#byLink.get(id);
    if (link !== undefined) this.#drop(link);
  }

  /** Closes all links. */
  closeAll(): void {
    for (const link of [...this.#byLink.values()]) this.#drop(link);
  }

  /** Takes an event of {@link Peers}. */
  peerEvent(event: PeerEvent): void {
    const link = this.#byPeer.get(event.peer);
    if (link === undefined) {
      // The core has closed the link meanwhile. Its channel must not stay open.
      if (event.type === 'channel') event.channel.close();
      return;
    }
    switch (event.type) {
      case 'channel':
        this.#adopt(link, event.channel);
        return;
      case 'description':
        if (link.offers) this.#owner.offered(link.id, event.sdp);
        else this.#owner.answered(link.id, event.sdp);
        return;
      case 'iceCandidate':
        this.#owner.found(link.id, event.candidate);
        return;
      case 'lost':
        this.#end(link, event.loss);
    }
  }

  #adopt(link: Link, channel: RTCDataChannel): void {
    link.channel = new Channel(channel, {
      opened: () => {
        this.#peers.request({ type: 'opened', peer: link.peer });
        this.#owner.opened(link.id);
      },
      message: (bytes) => {
        this.#owner.message(link.id, bytes);
      },
      room: () => {
        this.tellDrained();
      },
      closed: () => {
        this.#end(link, undefined);
      },
    });
  }

  /** The link has ended by itself. */
  #end(link: Link, loss: Loss | undefined): void {
    if (!this.#byLink.has(link.id)) return;
    this.#drop(link);
    this.#owner.closed(link.id, loss);
  }

  #drop(link: Link): void {
    this.#byLink.delete(link.id);
    this.#byPeer.delete(link.peer);
    this.#closing += 1;
    void this.#finish(link);
  }

  async #finish(link: Link): Promise<void> {
    await link.channel?.close();
    this.#peers.request({ type: 'close', peer: link.peer });
    this.#closing -= 1;
    if (this.areFinished) this.#owner.finished();
  }
}
