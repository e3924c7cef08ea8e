/**
 * Peer connections of this page: offers, answers and ICE candidates. Each has one data channel, which is given away at once.
 *
 * A connection is a handshake first and then only watched. However it ends, it is closed and dropped: one that is not closed is
 * never collected.
 */

import { Connections } from './connections.js';
import type { Loss } from './explain.js';
import type { PeerEvent, PeerRequest, Peers } from './peers.js';

/** Milliseconds for which a description waits for its first ICE candidate, which then travels in it. It comes after 2 to 4. */
const GATHERING = 20;

/** Milliseconds in which a connection must open once both sides have described themselves. The core's own limit is longer. */
const HANDSHAKE_TIMEOUT = 15_000;

/**
 * Milliseconds for which a path may be interrupted. Chromium notices a dead peer after 5 s, and the core after 15 s of silence:
 * with this it is lost after 10.
 */
const DISCONNECTED_TIMEOUT = 5_000;

/** Most ICE candidates of a peer. Each costs probes to an address that the peer chooses. */
const MAX_CANDIDATES = 32;

/** One maker for the whole page. */
const connections = new Connections();

/** The peer connections of one node. */
export class PagePeers implements Peers {
  readonly #config: RTCConfiguration;
  readonly #tell: (event: PeerEvent) => void;
  readonly #peers = new Map<number, Peer>();

  /** `tell` gets the events. It must not throw. */
  constructor(config: RTCConfiguration, tell: (event: PeerEvent) => void) {
    this.#config = config;
    this.#tell = tell;
  }

  request(request: PeerRequest): void {
    switch (request.type) {
      case 'offer':
        this.#open(request.peer, undefined);
        return;
      case 'answer':
        this.#open(request.peer, request.offer);
        return;
      case 'answered':
        this.#peers.get(request.peer)?.answered(request.answer);
        return;
      case 'iceCandidate':
        this.#peers.get(request.peer)?.candidate(request.candidate);
        return;
      case 'opened':
        this.#peers.get(request.peer)?.opened();
        return;
      case 'close':
        this.#peers.get(request.peer)?.close();
        this.#peers.delete(request.peer);
    }
  }

  /** Closes all connections at once: the page goes. */
  closeAll(): void {
    for (const peer of this.#peers.values()) peer.close();
    this.#peers.clear();
  }

  #open(number: number, offer: string | undefined): void {
    const peer = new Peer(number, this.#config, {
      tell: this.#tell,
      lost: (loss) => {
        this.#peers.delete(number);
        this.#tell({ type: 'lost', peer: number, loss });
      },
    });
    this.#peers.set(number, peer);
    void peer.start(offer);
  }
}

interface PeerOwner {
  tell(event: PeerEvent): void;
  lost(loss: Loss): void;
}

/** One peer connection. */
class Peer {
  readonly #number: number;
  readonly #config: RTCConfiguration;
  readonly #owner: PeerOwner;
  #connection: RTCPeerConnection | undefined;
  #isClosed = false;
  #isOpen = false;
  /** Whether this side's description has gone out: later ICE candidates go on their own. */
  #described = false;
  /** ICE candidates of the peer that came before its description. */
  #early: string[] = [];
  #remoteDescribed = false;
  #remoteCandidates = 0;
  #local = new Set<string>();
  #remote = new Set<string>();
  #firstCandidate: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(number: number, config: RTCConfiguration, owner: PeerOwner) {
    this.#number = number;
    this.#config = config;
    this.#owner = owner;
  }

  /** Makes the connection, and the offer or the answer. */
  async start(offer: string | undefined): Promise<void> {
    try {
      const connection = await connections.make(this.#config);
      if (this.#isClosed) {
        connection.close();
        return;
      }
      this.#connection = connection;
      this.#watch(connection);
      // Both sides make the same channel, so it needs no handshake of its own. It is given away in the same task: later it could
      // not go to another thread any more.
      const channel = connection.createDataChannel('overlay', { negotiated: true, id: 0 });
      this.#owner.tell({ type: 'channel', peer: this.#number, channel });
      if (offer !== undefined) await this.#describeRemote(connection, { type: 'offer', sdp: offer });
      await this.#describe(connection);
    } catch (error) {
      this.#fail('setup', error);
    }
  }

  answered(answer: string): void {
    const connection = this.#connection;
    if (connection === undefined || this.#remoteDescribed) return;
    this.#describeRemote(connection, { type: 'answer', sdp: answer }).catch((error: unknown) => {
      this.#fail('description', error);
    });
  }

  candidate(candidate: string): void {
    this.#remoteCandidates += 1;
    if (candidate === '' || this.#remoteCandidates > MAX_CANDIDATES) return;
    this.#remote.add(typeOf(candidate));
    if (this.#connection !== undefined && this.#remoteDescribed) this.#add(this.#connection, candidate);
    else this.#early.push(candidate);
  }

  opened(): void {
    this.#isOpen = true;
    clearTimeout(this.#timer);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const connection = this.#connection;
    this.#connection = undefined;
    this.#firstCandidate?.();
    if (connection === undefined) return;
    connection.onicecandidate = connection.onconnectionstatechange = null;
    connection.close();
  }

  /** Makes this side's description, and tells it with its first ICE candidate. */
  async #describe(connection: RTCPeerConnection): Promise<void> {
    if (this.#isClosed) return;
    const first = new Promise<void>((resolve) => {
      this.#firstCandidate = resolve;
      setTimeout(resolve, GATHERING);
    });
    await connection.setLocalDescription();
    await first;
    // A connection that was closed meanwhile is not this one's any more.
    const description = this.#connection?.localDescription;
    if (description == null) return;
    this.#described = true;
    this.#owner.tell({ type: 'description', peer: this.#number, sdp: description.sdp });
  }

  async #describeRemote(connection: RTCPeerConnection, description: RTCSessionDescriptionInit): Promise<void> {
    // Set before it is awaited: a second answer must not come through meanwhile.
    this.#remoteDescribed = true;
    for (const line of (description.sdp ?? '').split(/\r?\n/)) {
      if (line.startsWith('a=candidate:')) this.#remote.add(typeOf(line));
    }
    await connection.setRemoteDescription(description);
    if (this.#isClosed) return;
    for (const candidate of this.#early) this.#add(connection, candidate);
    this.#early = [];
    this.#timer = setTimeout(() => {
      if (!this.#isOpen) this.#fail('unreachable');
    }, HANDSHAKE_TIMEOUT);
  }

  #add(connection: RTCPeerConnection, candidate: string): void {
    connection.addIceCandidate({ candidate, sdpMid: '0', sdpMLineIndex: 0 }).catch(() => {
      // One that this browser can't use: others may do.
    });
  }

  #watch(connection: RTCPeerConnection): void {
    connection.onicecandidate = ({ candidate }) => {
      const text = candidate?.candidate ?? '';
      if (text === '') return;
      this.#local.add(typeOf(text));
      this.#firstCandidate?.();
      if (this.#described) this.#owner.tell({ type: 'iceCandidate', peer: this.#number, candidate: text });
    };
    connection.onconnectionstatechange = () => {
      switch (connection.connectionState) {
        case 'failed':
          this.#fail(this.#isOpen ? 'silent' : 'unreachable');
          return;
        case 'disconnected':
          if (!this.#isOpen) return;
          clearTimeout(this.#timer);
          this.#timer = setTimeout(() => {
            this.#fail('silent');
          }, DISCONNECTED_TIMEOUT);
          return;
        case 'connected':
          if (this.#isOpen) clearTimeout(this.#timer);
          return;
        default:
      }
    };
  }

  #fail(kind: Loss['kind'], error?: unknown): void {
    if (this.#isClosed) return;
    this.close();
    this.#owner.lost({
      kind,
      text: error instanceof Error ? error.message : undefined,
      local: [...this.#local],
      remote: [...this.#remote],
    });
  }
}

/** The type of an ICE candidate: `host`, `srflx`, `prflx` or `relay`; `mdns` for a host whose address is hidden. */
function typeOf(candidate: string): string {
  const fields = candidate.split(' ');
  if (fields[4]?.endsWith('.local')) return 'mdns';
  return fields[fields.indexOf('typ') + 1] ?? 'host';
}
