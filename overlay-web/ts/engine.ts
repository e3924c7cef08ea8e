/**
 * The engine runs a node: what happens outside becomes an event for the core, whose actions are carried out.
 *
 * It is the same loop as in `docs/write-your-own-driver.md`. Everything comes through one inbox and is handled to its end before the
 * next, so nothing re-enters the core, and what the app is told leaves in one batch afterwards.
 */

import type { Action, Recorder } from './actions.js';
import { ServerConnection, type ServerOwner } from './bootstrap.js';
import { Deadline, now } from './clock.js';
import type { Core } from './core.js';
import { explainServer, type Loss, type ServerTrouble, type Surroundings } from './explain.js';
import { Links, type LinksOwner } from './links.js';
import type { AnswersNews, News, Status } from './news.js';
import type { PeerEvent, Peers } from './peers.js';
import type { Command, SendErrorCode, Told } from './protocol.js';
import { Sends, type Refusal, type SendsOwner } from './sends.js';

/** Milliseconds that a node which leaves waits for messages that it has promised to send: as long as the core waits itself. */
const LEAVE_TIMEOUT = 10_000;

/** Something that happens to the core. */
type Input = (core: Core, now: number) => void;

/** The parts that a node is run with. */
export interface Parts {
  readonly core: Core;
  readonly recorder: Recorder;
  readonly peers: Peers;
  /** The addresses of bootstrap servers, which are tried in turn. */
  readonly servers: readonly string[];
  readonly surroundings: Surroundings;
  /** Gets what the app is told, in batches. Called in a microtask, never from inside of another call. */
  readonly tell: (batch: readonly Told[]) => void;
}

/** A node that runs. */
export class Engine implements LinksOwner, ServerOwner, SendsOwner {
  readonly core: Core;
  readonly #parts: Parts;
  readonly #links: Links;
  readonly #sends: Sends;
  readonly #deadline = new Deadline(() => {
    this.hand((core, at) => {
      core.timeout(at);
    });
  });
  #server: ServerConnection | undefined;
  #serverTrouble: ServerTrouble | undefined;
  /** Wishes of the app and events from outside that came while another was handled. */
  readonly #inbox: (() => void)[] = [];
  #isBusy = false;
  /** Events that follow from carrying out actions. */
  readonly #following: Input[] = [];
  #refusal: Refusal | undefined;
  /** When the node leaves at the latest: what it has promised to send comes first. */
  #leaveBy: number | undefined;
  /** The core has left, and the app is told when the links have finished. */
  #left = false;
  #hasFailed = false;
  #statusIsOld = true;
  #outbox: Told[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
    this.core = parts.core;
    this.#links = new Links(parts.peers, this);
    this.#sends = new Sends(this);
  }

  /** Takes a wish of the app. */
  command(command: Command): void {
    this.#take(() => {
      this.#obey(command);
    });
  }

  /** Takes an event of a peer connection. */
  peerEvent(event: PeerEvent): void {
    this.#links.peerEvent(event);
  }

  /** Hands the core an event, now or after the one that is being handled. */
  hand(input: Input): void {
    this.#take(() => {
      this.run(input);
    });
  }

  /** Hands the core an event, and does what it answers; then what follows from that, in order. Only from inside of the loop. */
  run(input: Input): Refusal | undefined {
    this.#refusal = undefined;
    let next: Input | undefined = input;
    while (next !== undefined && !this.#hasFailed) {
      try {
        next(this.core, now());
      } catch (error) {
        this.#crash(error);
        return undefined;
      }
      for (const action of this.#parts.recorder.take()) this.#act(action);
      next = this.#following.shift();
    }
    return this.#refusal;
  }

  #take(job: () => void): void {
    this.#inbox.push(job);
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      let next = this.#inbox.shift();
      while (next !== undefined) {
        if (!this.#hasFailed) next();
        next = this.#inbox.shift();
        if (next === undefined && !this.#hasFailed) {
          this.#settle();
          next = this.#inbox.shift();
        }
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** What is to be done when nothing more has happened. */
  #settle(): void {
    this.#links.tellDrained();
    this.#sends.retry();
    this.#leaveIfReady();
    if (this.#hasFailed) return;
    if (this.#statusIsOld) {
      this.#statusIsOld = false;
      this.#tell({ type: 'state', status: this.core.status() as Status });
    }
    this.#deadline.by(Math.min(this.core.nextDeadline(), this.#leaveBy ?? Infinity));
  }

  #obey(command: Command): void {
    switch (command.type) {
      case 'join':
        this.#tellLeft();
        this.#statusIsOld = true;
        this.run((core, at) => {
          core.join(at);
        });
        return;
      case 'becomeRoot':
        this.#tellLeft();
        this.#statusIsOld = true;
        this.run((core, at) => {
          if (core.becomeRoot(at, command.token)) return;
          const reason = 'The token is longer than any that a server takes.';
          this.#tell({ type: 'news', news: { type: 'serverLost', reason, retryIn: undefined } });
        });
        return;
      case 'leave':
        this.#leave(command.now);
        return;
      case 'close': {
        const link = this.core.linkTo(command.node);
        if (link === undefined) return;
        this.run((core, at) => {
          core.close(at, link);
        });
        return;
      }
      case 'send':
        this.#sends.add(command.number, command.to, command.payload);
        return;
      case 'revoke':
        this.#sends.revoke(command.number);
        return;
      case 'ask':
        this.#sends.ask(command.number, command.question, command.timeout, command.combine);
        return;
      case 'answer':
        this.run((core, at) => {
          core.answer(at, command.root, command.tag, command.answer);
        });
        return;
      case 'combined':
        this.run((core, at) => {
          core.combined(at, command.root, command.tag, command.value);
        });
        return;
      case 'consumed':
        this.run((core, at) => {
          core.consumed(at, command.receipt);
        });
        return;
      case 'status': {
        const status = this.core.status() as Status;
        this.#tell({ type: 'status', number: command.number, status, stats: this.core.stats() as unknown });
      }
    }
  }

  /** Leaves, after what the node has promised to send; at once if it is told twice. */
  #leave(isUrgent: boolean): void {
    this.#statusIsOld = true;
    this.#sends.retry();
    if (!isUrgent && this.#leaveBy === undefined && this.#sends.areWaiting) {
      this.#leaveBy = now() + LEAVE_TIMEOUT;
      return;
    }
    this.#leaveBy = undefined;
    const leave: Input = (core, at) => {
      core.leave(at);
    };
    this.run(leave);
    // Told twice, a node does not wait for its children.
    if (isUrgent && !this.#hasFailed && this.core.role() === 'leaving') this.run(leave);
  }

  #leaveIfReady(): void {
    if (this.#leaveBy === undefined || (this.#sends.areWaiting && now() < this.#leaveBy)) return;
    this.#leaveBy = undefined;
    this.#statusIsOld = true;
    this.run((core, at) => {
      core.leave(at);
    });
  }

  /** Carries out an action. */
  #act(action: Action): void {
    switch (action.type) {
      case 'openLink':
        this.#links.open(action.link, action.offer);
        return;
      case 'answer':
        this.#links.answer(action.link, action.answer);
        return;
      case 'iceCandidate':
        this.#links.candidate(action.link, action.candidate);
        return;
      case 'transmit':
        this.#links.transmit(action.link, action.bytes, action.tells);
        return;
      case 'closeLink':
        this.#links.close(action.link);
        return;
      case 'connectBootstrap':
        this.#connect(action.attempt);
        return;
      case 'sendBootstrap':
        if (this.#server?.attempt === action.attempt) this.#server.send(action.bytes);
        return;
      case 'closeBootstrap':
        if (this.#server?.attempt !== action.attempt) return;
        this.#server.close();
        this.#server = undefined;
        return;
      case 'deliver': {
        const { from, scope, payload, receipt } = action;
        this.#tell({ type: 'message', from, scope, payload, receipt });
        return;
      }
      case 'combine': {
        const { root, tag, left, right } = action;
        this.#tell({ type: 'combine', root, tag, left, right });
        return;
      }
      case 'notify':
        this.#notify(action.news);
    }
  }

  #connect(attempt: number): void {
    this.#serverTrouble = undefined;
    const servers = this.#parts.servers;
    // The attempts count from 1, and each takes the next address.
    const url = servers[(attempt - 1) % Math.max(servers.length, 1)];
    if (url === undefined) {
      this.#serverTrouble = { kind: 'no-server' };
      this.#following.push((core, at) => {
        core.bootstrapClosed(at, attempt);
      });
      return;
    }
    this.#server?.close();
    this.#server = new ServerConnection(attempt, url, this);
  }

  #notify(news: News): void {
    switch (news.type) {
      case 'unsent':
        this.#refusal = news;
        return;
      case 'replied':
        this.#sends.replied(news.tag, news.arrived);
        return;
      case 'answers':
        this.#sends.answered(news);
        return;
      case 'question':
        this.#tell({ type: 'question', question: news });
        return;
      case 'bootstrapLost':
        this.#tellServerLost(news.refusal, news.retryIn);
        return;
      case 'left':
        this.#statusIsOld = true;
        if (this.#links.areFinished) this.#tell({ type: 'news', news });
        else this.#left = true;
        return;
      case 'rejected':
        this.#tell({ type: 'trouble', trouble: news });
        break;
      default:
    }
    this.#statusIsOld = true;
    this.#tell({ type: 'news', news });
  }

  #tellServerLost(refusal: string | undefined, retryIn: number | undefined): void {
    const trouble: ServerTrouble =
      refusal !== undefined ? { kind: 'refused', text: refusal } : (this.#serverTrouble ?? { kind: 'silent' });
    this.#serverTrouble = undefined;
    this.#tell({ type: 'trouble', trouble: { type: 'server', trouble } });
    const reason = explainServer(trouble, this.#parts.surroundings);
    this.#statusIsOld = true;
    this.#tell({ type: 'news', news: { type: 'serverLost', reason, retryIn } });
  }

  /** Tells the app that the node has left, if that is still to be told. */
  #tellLeft(): void {
    if (!this.#left) return;
    this.#left = false;
    this.#tell({ type: 'news', news: { type: 'left' } });
  }

  /** The core has failed. It is never called again: what it holds may be half changed. */
  #crash(error: unknown): void {
    this.#hasFailed = true;
    this.#parts.recorder.take();
    this.#deadline.stop();
    this.#server?.close();
    this.#server = undefined;
    this.#links.closeAll();
    this.#tell({ type: 'crashed', text: error instanceof Error ? error.message : String(error) });
  }

  #tell(told: Told): void {
    this.#outbox.push(told);
    if (this.#outbox.length > 1) return;
    queueMicrotask(() => {
      const batch = this.#outbox;
      this.#outbox = [];
      this.#parts.tell(batch);
    });
  }

  // ── What links tell ──

  offered(link: number, offer: string): void {
    this.hand((core, at) => {
      if (!core.linkOffer(at, link, offer)) this.#useless(link);
    });
  }

  answered(link: number, answer: string): void {
    this.hand((core, at) => {
      if (!core.linkAnswer(at, link, answer)) this.#useless(link);
    });
  }

  /** This side's description is longer than any peer takes. */
  #useless(link: number): void {
    this.#links.close(link);
    this.#following.push((core, at) => {
      core.linkClosed(at, link);
    });
  }

  found(link: number, candidate: string): void {
    this.hand((core, at) => {
      // One that is too long is left out; others may do.
      core.linkIceCandidate(at, link, candidate);
    });
  }

  opened(link: number): void {
    this.hand((core, at) => {
      core.linkOpened(at, link);
    });
  }

  message(link: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.hand((core, at) => {
      core.linkMessage(at, link, bytes);
    });
  }

  drained(link: number): void {
    this.hand((core, at) => {
      core.linkDrained(at, link);
    });
  }

  closed(link: number, loss: Loss | undefined): void {
    if (loss !== undefined) this.#tell({ type: 'trouble', trouble: { type: 'link', loss } });
    this.hand((core, at) => {
      core.linkClosed(at, link);
    });
  }

  finished(): void {
    this.#tellLeft();
  }

  // ── What the server's connection tells ──

  serverOpened(attempt: number): void {
    this.hand((core, at) => {
      core.bootstrapOpened(at, attempt);
    });
  }

  serverMessage(attempt: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.hand((core, at) => {
      core.bootstrapMessage(at, attempt, bytes);
    });
  }

  serverClosed(attempt: number, trouble: ServerTrouble): void {
    if (this.#server?.attempt === attempt) {
      this.#server = undefined;
      this.#serverTrouble = trouble;
    }
    this.hand((core, at) => {
      core.bootstrapClosed(at, attempt);
    });
  }

  // ── What waiting messages tell ──

  sent(number: number, receivers: number): void {
    this.#tell({ type: 'sent', number, receivers });
  }

  unsent(number: number, code: SendErrorCode, text: string): void {
    this.#tell({ type: 'unsent', number, code, text });
  }

  progress(number: number, bytes: number): void {
    this.#tell({ type: 'progress', number, bytes });
  }

  answers(number: number, { answered, omitted, asked, value, nodes, each }: AnswersNews): void {
    this.#tell({ type: 'answers', number, answers: { answered, omitted, asked, value, nodes, each } });
  }
}
