/**
 * What the app's side knows of its node: the state that the engine has last pushed, and the news that say how it came to be.
 */

import type { PublicNews, Status } from './news.js';

/** The state before the engine has said anything. */
const NEW: Status = {
  role: 'detached',
  parent: undefined,
  children: [],
  path: [],
  epoch: 0,
  standby: false,
  subtree: [1],
  position: undefined,
};

/** The kinds of news that stay true until others come. A handler that is added late hears those that are. */
type Lasting = 'parent' | 'tree' | 'registered' | 'serverLost' | 'promoted' | 'standby' | 'left';

/** The state of one node. */
export class State {
  status: Status = NEW;
  /** The error with which the core has failed. */
  failure: Error | undefined;
  readonly #latest = new Map<Lasting, PublicNews>();

  /** Notes a piece of news, and forgets those that it makes untrue. */
  note(news: PublicNews): void {
    switch (news.type) {
      case 'parent':
        this.#latest.set('parent', news);
        this.#latest.delete('left');
        return;
      case 'depth': {
        const parent = this.#latest.get('parent');
        if (parent?.type === 'parent') this.#latest.set('parent', { ...parent, depth: news.depth });
        return;
      }
      case 'parentLost':
        this.#latest.delete('parent');
        return;
      case 'registered':
        this.#latest.set('registered', news);
        this.#latest.delete('serverLost');
        return;
      case 'serverLost':
        this.#latest.set('serverLost', news);
        this.#latest.delete('registered');
        return;
      case 'promoted':
        this.#latest.set('promoted', news);
        this.#latest.delete('standby');
        this.#latest.delete('parent');
        return;
      case 'standby':
        this.#latest.set('standby', news);
        return;
      case 'steppedDown':
        this.#latest.delete('promoted');
        return;
      case 'tree':
        this.#latest.set('tree', news);
        return;
      case 'left':
        this.#latest.clear();
        this.#latest.set('left', news);
        return;
      default:
    }
  }

  /** The node is about to be in a tree again. */
  begin(): void {
    this.#latest.delete('left');
  }

  /** The news of this kind that are true now. */
  present(kind: string): readonly PublicNews[] {
    if (kind === 'child') return this.status.children.map((node) => ({ type: 'child', node }));
    const latest = this.#latest.get(kind as Lasting);
    return latest === undefined ? [] : [latest];
  }
}
