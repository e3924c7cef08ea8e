/**
 * The border between the engine and `RTCPeerConnection`: requests one way, events the other, all of it data.
 *
 * A peer connection exists in a page only, and a data channel can go to a worker. So the engine asks for connections by number,
 * and gets their channels; whether these requests are calls or messages to another thread, it does not see.
 */

import type { Loss } from './explain.js';

/** A request for a peer connection, named by a number that its user has chosen and not used before. */
export type PeerRequest =
  /** Make a connection and an offer. */
  | { readonly type: 'offer'; readonly peer: number }
  /** Make a connection and an answer to this offer. */
  | { readonly type: 'answer'; readonly peer: number; readonly offer: string }
  /** The peer's answer. */
  | { readonly type: 'answered'; readonly peer: number; readonly answer: string }
  /** An ICE candidate of the peer. It may come before the answer. */
  | { readonly type: 'iceCandidate'; readonly peer: number; readonly candidate: string }
  /** The channel is open: the handshake is over. */
  | { readonly type: 'opened'; readonly peer: number }
  /** Close the connection, and forget it. No event about it follows. */
  | { readonly type: 'close'; readonly peer: number };

/** An event of a peer connection. */
export type PeerEvent =
  /** Its data channel: the first event. The receiver owns it from here on. */
  | { readonly type: 'channel'; readonly peer: number; readonly channel: RTCDataChannel }
  /** This side's offer or answer, with the ICE candidates that were found at once. */
  | { readonly type: 'description'; readonly peer: number; readonly sdp: string }
  /** An ICE candidate that was found later. */
  | { readonly type: 'iceCandidate'; readonly peer: number; readonly candidate: string }
  /** The connection is over, or did not come about. It is forgotten: no event about it follows. */
  | { readonly type: 'lost'; readonly peer: number; readonly loss: Loss };

/** A maker of peer connections. */
export interface Peers {
  /** Takes a request. Its events come later, or never before this has returned. */
  request(request: PeerRequest): void;
}
