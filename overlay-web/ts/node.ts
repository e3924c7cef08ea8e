/** A node of the tree, as an app has it. */

import type { Backend } from './backend.js';
import { Emitter } from './emitter.js';
import { OverlayError } from './errors.js';
import { explainTrouble, warnOf, type Surroundings, type Trouble } from './explain.js';
import { Inbox } from './inbox.js';
import { followPage } from './lifecycle.js';
import { Message, Question, type Answers } from './message.js';
import type { Combine, PublicNews, Role, Status } from './news.js';
import { MAX_MESSAGE, type NodeOptions } from './options.js';
import { Outgoing, type SendOptions } from './outgoing.js';
import type { Payload } from './payload.js';
import type { Command, Told } from './protocol.js';
import { State } from './state.js';
import { readableOf, writableOf } from './streams.js';

/** The events of a node: news of the tree by their types, and those of the app. */
export type NodeEvents = { readonly [N in PublicNews as N['type']]: N } & {
  /** A message. Its handler may return a promise, and gets the next message when that is settled. */
  readonly message: Message;
  /** A question of the root. Without a handler nobody waits for this node's answer. */
  readonly question: Question;
  /** The node's state has changed. */
  readonly change: Status;
  /** The core has failed, which is a bug. The node is gone, and nothing else comes. */
  readonly failed: Error;
};

/** The state of a node at one moment, with its counters. */
export interface FullStatus extends Status {
  /** Counts since the node was made. */
  readonly stats: Readonly<Record<string, number>>;
}

/** Options of {@link OverlayNode.ask}. */
export interface AskOptions {
  /** Milliseconds to wait for answers. Default: 10,000. About three quarters of it are the nodes' own. */
  readonly timeout?: number;
  /** What becomes of the answers: each of them, or what they come to. Default: `each`. */
  readonly combine?: Combine;
}

/** What a node waits for when it joins or leads. */
interface Goal {
  readonly isReached: (news: PublicNews) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * A node of the tree.
 *
 * Its messages are taken in one of three ways: by `for await (const message of node)`, by `on('message', …)`, or as the stream
 * {@link OverlayNode.readable}. What the app does not take holds its sender back, and nothing is lost.
 */
export class OverlayNode implements AsyncIterable<Message> {
  readonly #backend: Backend;
  readonly #servers: readonly string[];
  readonly #surroundings: Surroundings;
  readonly #options: NodeOptions;
  readonly #state: State;
  readonly #events: Emitter<NodeEvents>;
  readonly #inbox = new Inbox();
  readonly #outgoing: Outgoing;
  readonly #statuses = new Map<number, (status: FullStatus) => void>();
  #statusNumber = 0;
  #goal: Goal | undefined;
  #trouble: Trouble | undefined;
  /** What the node does when its page comes back. */
  #wish: Command | undefined;
  #isHidden = false;
  #unfollow: (() => void) | undefined;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Payload> | undefined;

  /** @internal */
  constructor(backend: Backend, servers: readonly string[], surroundings: Surroundings, options: NodeOptions) {
    this.#backend = backend;
    this.#servers = servers;
    this.#surroundings = surroundings;
    this.#options = options;
    this.#state = new State();
    this.#outgoing = new Outgoing(options.maxMessage ?? MAX_MESSAGE, (command) => {
      backend.command(command);
    });
    this.#events = new Emitter<NodeEvents>((kind) => this.#present(kind));
  }

  // ── The tree ──

  /**
   * Joins the tree, and stays in it: after a failure or the loss of its parent the node tries again until it is told to leave. Resolves
   * when it has its first parent; rejects when the server refuses it for good, when it leaves, and when `signal` is aborted, which
   * makes it leave.
   */
  join(signal?: AbortSignal): Promise<void> {
    return this.#begin({ type: 'join' }, (news) => news.type === 'parent', signal);
  }

  /**
   * Becomes the root, whose right `token` proves to the server. If there is another root, the node joins its tree as a standby, and
   * takes over when that one is gone. Resolves when it is the one or the other. Rejects as {@link OverlayNode.join} does.
   */
  becomeRoot(token: string, signal?: AbortSignal): Promise<void> {
    const isReached = (news: PublicNews) => news.type === 'promoted' || news.type === 'standby';
    return this.#begin({ type: 'becomeRoot', token }, isReached, signal);
  }

  /** Leaves the tree, after all that was sent before. Resolves when it has: with children, that takes a moment. */
  async leave(): Promise<void> {
    this.#wish = undefined;
    this.#unfollow?.();
    this.#unfollow = undefined;
    if (this.#state.failure !== undefined || this.role === 'detached') return;
    const handlers: (() => void)[] = [];
    const left = new Promise<void>((resolve) => {
      const done = () => {
        resolve();
      };
      handlers.push(this.#events.on('left', done), this.#events.on('failed', done));
    });
    this.#backend.command({ type: 'leave', now: false });
    await left;
    for (const remove of handlers) remove();
  }

  /** Closes the link to a neighbour, after all that was sent before. If it is the parent, the node then looks for another one. */
  close(neighbour: string): void {
    this.#backend.command({ type: 'close', node: neighbour });
  }

  // ── Messages ──

  /**
   * Sends a message to every node of the tree. Only the root may. Resolves with the number of children when it is on its way: with
   * none, no node gets it. While the node takes no more, this waits.
   */
  broadcast(payload: Payload, options?: SendOptions): Promise<number> {
    return this.#outgoing.send({ type: 'everyone', last: false }, payload, options);
  }

  /**
   * Ends the root's stream with a last message, of at most 256 bytes. Only the root may, and once. Nodes that come later get it as
   * well.
   */
  async end(payload: Payload = ''): Promise<void> {
    await this.#outgoing.send({ type: 'everyone', last: true }, payload);
  }

  /** Sends a message to a neighbour: the parent or a child. Resolves when it is on its way, which does not mean that it has arrived. */
  async send(neighbour: string, payload: Payload, options?: SendOptions): Promise<void> {
    await this.#outgoing.send({ type: 'neighbour', node: neighbour }, payload, options);
  }

  /**
   * Sends a message to the root, from any depth. It arrives once, or, if a node or link on its way fails with it, not at all: an app
   * that must know has the root reply.
   */
  async sendUp(payload: Payload, options?: SendOptions): Promise<void> {
    await this.#outgoing.send({ type: 'root' }, payload, options);
  }

  /** Asks every node of the tree but this one, the root. Resolves before the time is over if all have answered. */
  ask(question: Payload, { timeout = 10_000, combine = 'each' }: AskOptions = {}): Promise<Answers> {
    return this.#outgoing.ask(question, timeout, combine);
  }

  /** The messages, one by one. Ends when the node leaves. All iterators share one queue, and one that stops loses nothing. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    for (;;) {
      const message = await this.#inbox.next();
      if (message === undefined) return;
      yield message;
    }
  }

  /** The bytes of the messages, one chunk each. For what the `overlay root` command sends, there is {@link fromCommand}. */
  get readable(): ReadableStream<Uint8Array> {
    this.#readable ??= readableOf(() => this.#inbox.next());
    return this.#readable;
  }

  /** A stream to every node: each chunk is {@link OverlayNode.broadcast}. Closing it does not end the root's stream. */
  get writable(): WritableStream<Payload> {
    this.#writable ??= writableOf((payload) => this.broadcast(payload));
    return this.#writable;
  }

  /** @internal */
  nextMessage(): Promise<Message | undefined> {
    return this.#inbox.next();
  }

  // ── Events and state ──

  /**
   * Calls `handler` with each event of a kind. Where the event says what is so, and it is so already, the handler hears that first: of
   * the present parent, of each child, of the messages that wait. Returns what removes the handler.
   */
  on(kind: 'message', handler: (message: Message) => unknown): () => void;
  on<K extends keyof NodeEvents>(kind: K, handler: (event: NodeEvents[K]) => void): () => void;
  on<K extends keyof NodeEvents>(kind: K, handler: (event: NodeEvents[K]) => void): () => void {
    if (kind === 'message') return this.#inbox.listen(handler as (message: Message) => unknown);
    return this.#events.on(kind, handler);
  }

  /** What the node is in the tree. */
  get role(): Role {
    return this.#state.status.role;
  }

  /** The node's id: 32 hexadecimal digits. Another page load is another node. */
  get id(): string {
    return this.#backend.id;
  }

  /** The parent's id, while there is one. */
  get parent(): string | undefined {
    return this.#state.status.parent;
  }

  /** The children's ids. */
  get children(): readonly string[] {
    return this.#state.status.children;
  }

  /** The number of links between the root and this node. `undefined` while it is not in the tree. */
  get depth(): number | undefined {
    const { path } = this.#state.status;
    return path.length === 0 ? undefined : path.length - 1;
  }

  /** The node's present state and its counters. Rejects if the node is gone. */
  status(): Promise<FullStatus> {
    const { failure } = this.#state;
    if (failure !== undefined) return Promise.reject(failure);
    this.#statusNumber += 1;
    const number = this.#statusNumber;
    return new Promise((resolve) => {
      this.#statuses.set(number, resolve);
      this.#backend.command({ type: 'status', number });
    });
  }

  /** A sentence for people: where the node is in the tree, or why it has no connection. */
  explain(): string {
    const { failure, status } = this.#state;
    if (failure !== undefined) return `The node has failed, which is a bug: ${failure.message}`;
    switch (status.role) {
      case 'root':
        return `This node is the root of the tree, with ${status.children.length} children.`;
      case 'member':
        return `This node is in the tree, at depth ${status.path.length - 1}.`;
      case 'leaving':
        return 'This node is leaving the tree.';
      case 'detached':
      case 'joining':
    }
    if (this.#trouble !== undefined) return explainTrouble(this.#trouble, this.#surroundings);
    const warning = this.#servers.map((server) => warnOf(server, this.#surroundings.page)).find(Boolean);
    if (warning !== undefined) return warning;
    return status.role === 'joining' ? 'This node is joining the tree.' : 'This node is not in a tree.';
  }

  // ── What the engine tells ──

  /** @internal */
  take(batch: readonly Told[]): void {
    // First the state, so that handlers of the news before it see what the news are of.
    const status = batch.findLast((told) => told.type === 'state')?.status;
    if (status !== undefined) this.#state.status = status;
    for (const told of batch) this.#takeOne(told);
    if (status !== undefined) this.#events.emit('change', status);
  }

  #takeOne(told: Told): void {
    switch (told.type) {
      case 'news':
        this.#news(told.news);
        return;
      case 'message': {
        const { receipt } = told;
        const taken = () => {
          this.#backend.command({ type: 'consumed', receipt });
        };
        if (this.#options.messages === 'drop') {
          taken();
          return;
        }
        const reply = (way: Uint8Array, payload: Payload) => this.#reply(way, payload);
        this.#inbox.push(new Message(told.from, told.scope, told.payload, reply), taken);
        return;
      }
      case 'question': {
        const { root, tag, payload, combine, left } = told.question;
        const question = new Question(payload, combine, left, (answer) => {
          this.#backend.command({ type: 'answer', root, tag, answer });
        });
        if (!this.#events.emit('question', question)) question.answer(null);
        return;
      }
      case 'combine': {
        const value = this.#options.combine?.(told.left, told.right);
        if (value !== undefined) this.#backend.command({ type: 'combined', root: told.root, tag: told.tag, value });
        return;
      }
      case 'status': {
        const stats = told.stats as Readonly<Record<string, number>>;
        this.#statuses.get(told.number)?.({ ...told.status, stats });
        this.#statuses.delete(told.number);
        return;
      }
      case 'trouble':
        this.#trouble = told.trouble;
        return;
      case 'crashed':
        this.#fail(new OverlayError('failed', `the node has failed: ${told.text}`));
        return;
      case 'state':
        return;
      case 'sent':
      case 'unsent':
      case 'progress':
      case 'answers':
        this.#outgoing.told(told);
    }
  }

  #news(news: PublicNews): void {
    this.#state.note(news);
    if (news.type === 'parent' || news.type === 'promoted') this.#trouble = undefined;
    this.#reach(news);
    if (news.type === 'left' && !this.#isHidden) this.#inbox.close();
    this.#events.emit(news.type, news);
  }

  #reach(news: PublicNews): void {
    const goal = this.#goal;
    if (goal === undefined) return;
    if (goal.isReached(news)) goal.resolve();
    else if (news.type === 'serverLost' && news.retryIn === undefined) {
      goal.reject(new OverlayError('refused', news.reason));
    } else if (news.type === 'left' && !this.#isHidden) {
      goal.reject(new OverlayError('left', 'the node has left the tree'));
    } else return;
    this.#goal = undefined;
  }

  #fail(error: OverlayError): void {
    this.#state.failure = error;
    this.#state.status = { ...this.#state.status, role: 'detached', parent: undefined, children: [], path: [] };
    this.#unfollow?.();
    this.#goal?.reject(error);
    this.#goal = undefined;
    this.#outgoing.fail(error);
    this.#inbox.close(error);
    this.#events.emit('failed', error);
  }

  async #reply(way: Uint8Array, payload: Payload): Promise<void> {
    await this.#outgoing.send({ type: 'way', way }, payload);
  }

  #begin(wish: Command, isReached: (news: PublicNews) => boolean, signal: AbortSignal | undefined): Promise<void> {
    const { failure } = this.#state;
    if (failure !== undefined) return Promise.reject(failure);
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    this.#goal?.reject(new OverlayError('left', 'the node was told something else meanwhile'));
    this.#wish = wish;
    this.#state.begin();
    this.#inbox.open();
    if (this.#options.followsPage !== false) this.#unfollow ??= followPage(this.#pageFollower());
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#goal = undefined;
        void this.leave();
        reject(signal?.reason as Error);
      };
      const settled = () => {
        signal?.removeEventListener('abort', abort);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#goal = {
        isReached,
        resolve: () => {
          settled();
          resolve();
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      this.#backend.command(wish);
    });
  }

  #pageFollower() {
    return {
      hide: () => {
        this.#isHidden = true;
        this.#backend.command({ type: 'leave', now: true });
      },
      show: () => {
        this.#isHidden = false;
        if (this.#wish !== undefined) this.#backend.command(this.#wish);
      },
    };
  }

  #present<K extends keyof NodeEvents>(kind: K): readonly NodeEvents[K][] {
    if (kind === 'change') return [this.#state.status as NodeEvents[K]];
    if (kind === 'failed') return this.#state.failure === undefined ? [] : [this.#state.failure as NodeEvents[K]];
    return this.#state.present(kind) as unknown as readonly NodeEvents[K][];
  }
}
