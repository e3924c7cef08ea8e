/**
 * Sentences for people: why a node has no connection.
 *
 * A browser tells a page little of what has failed, on purpose. What it tells, and what the page can see itself, is enough for a good
 * guess.
 */

/** The way in which a peer connection was lost, or did not come about. */
export interface Loss {
  /**
   * `setup`: this browser could not make it. `description`: the peer's offer or answer can't be used. `unreachable`: no path to the
   * peer was found. `silent`: the peer is not heard any more.
   */
  readonly kind: 'setup' | 'description' | 'unreachable' | 'silent';
  /** The browser's own words, if it had any. */
  readonly text: string | undefined;
  /** The types of this side's ICE candidates: `host`, `mdns`, `srflx`, `relay`. */
  readonly local: readonly string[];
  /** Those of the peer's. */
  readonly remote: readonly string[];
}

/** The way in which the connection to a bootstrap server was lost, or did not come about. */
export interface ServerTrouble {
  readonly kind: 'forbidden' | 'unreachable' | 'closed' | 'stalled' | 'not-ours' | 'refused' | 'silent' | 'no-server';
  readonly url?: string;
  readonly text?: string;
}

/** The latest thing that has gone wrong. */
export type Trouble =
  | { readonly type: 'server'; readonly trouble: ServerTrouble }
  | { readonly type: 'link'; readonly loss: Loss }
  | { readonly type: 'rejected'; readonly reason: string };

/** What a page knows of itself. */
export interface Surroundings {
  /** The page's address; `undefined` outside of a page. */
  readonly page: string | undefined;
  /** The addresses of ICE servers. */
  readonly iceServers: readonly string[];
}

/** Why there is no connection to a server. */
export function explainServer(trouble: ServerTrouble, { page }: Surroundings): string {
  const server = trouble.url ?? 'the server';
  switch (trouble.kind) {
    case 'refused':
      return `The bootstrap server refused: ${trouble.text ?? 'it gave no reason'}.`;
    case 'silent':
      return `The bootstrap server ${server} accepted the connection and then said nothing.`;
    case 'closed':
      return `The bootstrap server ${server} has closed the connection.`;
    case 'stalled':
      return `The bootstrap server ${server} takes nothing any more.`;
    case 'not-ours':
      return `${server} is no bootstrap server of this overlay.`;
    case 'no-server':
      return 'No bootstrap server is given.';
    case 'forbidden':
    case 'unreachable':
      return warnOf(server, page) ?? `The bootstrap server ${server} could not be reached: ${reasons(server)}`;
  }
}

/**
 * Why a page can't, or may not, reach this server, as far as it can be said before trying. `undefined` if nothing speaks against it.
 */
export function warnOf(server: string, page: string | undefined): string | undefined {
  const url = parse(server);
  const from = page === undefined ? undefined : parse(page);
  if (url === undefined) return `${server} is no address of a server: it begins with ws:// or wss://.`;
  if (from === undefined) return undefined;
  if (from.protocol === 'https:' && url.protocol === 'ws:' && !isLoopback(url.hostname)) {
    return `A page on https: may only use a wss: server, and ${server} is none (mixed content). Put the server behind TLS.`;
  }
  if (isLocal(url.hostname) && !isLocal(from.hostname)) {
    return `${server} is in a local network and this page is not. Chromium asks the user before it lets the page in (Local Network Access); it was refused, not asked yet, or the server is not there.`;
  }
  return undefined;
}

/** Why a link did not come about, or was lost. */
export function explainLoss(loss: Loss, { iceServers }: Surroundings): string {
  const detail = loss.text === undefined ? '' : ` (${loss.text})`;
  const hasTurn = iceServers.some((url) => /^turns?:/.test(url));
  switch (loss.kind) {
    case 'setup':
      return `This browser could not make a peer connection${detail}.`;
    case 'description':
      return `The other node's description of its connection can't be used${detail}.`;
    case 'silent':
      return 'A neighbour is not heard any more: it is gone, or the network between is.';
    case 'unreachable':
  }
  if (loss.local.length === 0) {
    return 'This browser found no address at which other nodes could reach it: it has no network, or WebRTC is switched off.';
  }
  if (hasTurn && !loss.local.includes('relay')) {
    return 'No path to another node was found, and the TURN server gave no relay: it is not reached, or refuses the password. Perhaps UDP is blocked here.';
  }
  if (iceServers.length > 0 && !loss.local.includes('srflx') && !hasTurn) {
    return 'No path to another node was found, and the STUN server did not answer: perhaps UDP is blocked here. A TURN server over TCP or TLS may help.';
  }
  if (!hasTurn) {
    return 'No path to another node was found. If the two are in different networks, give both a TURN server (iceServers).';
  }
  return 'No path to another node was found, not even through the relay.';
}

/** Why an attempt to join has failed. */
export function explainRejection(reason: string): string {
  return `The attempt to join has failed: ${reason}.`;
}

/** The sentence for the latest trouble. */
export function explainTrouble(trouble: Trouble, surroundings: Surroundings): string {
  switch (trouble.type) {
    case 'server':
      return explainServer(trouble.trouble, surroundings);
    case 'link':
      return explainLoss(trouble.loss, surroundings);
    case 'rejected':
      return explainRejection(trouble.reason);
  }
}

function reasons(server: string): string {
  const secure = server.startsWith('wss:');
  const certificate = secure ? ', its certificate is not trusted' : '';
  return `it is not running, the address is wrong${certificate}, or a firewall is between.`;
}

function parse(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || host.startsWith('127.');
}

/** Whether an address is one of this machine or of a private network (RFC 1918, RFC 4193, link-local). */
function isLocal(host: string): boolean {
  return (
    isLoopback(host) ||
    host.endsWith('.local') ||
    /^(10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\./.test(host) ||
    /^\[f[cd]|^\[fe80:/i.test(host)
  );
}
