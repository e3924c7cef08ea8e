/**
 * The life of a page: a node leaves when its page goes, and joins again when the page comes back.
 *
 * Without it, neighbours notice a closed tab only after three seconds of silence. `pagehide` is the only event that comes in time,
 * and that does not keep a page out of the browser's back-forward cache.
 */

/** What a node does when its page goes and comes. */
export interface PageFollower {
  /** The page goes: this is the last moment in which something can be sent. */
  hide(): void;
  /** The page is back from the cache. */
  show(): void;
}

/** Follows the page, if there is one. Returns what ends it. */
export function followPage(follower: PageFollower): () => void {
  if (typeof window === 'undefined') return () => undefined;
  const ending = new AbortController();
  const { signal } = ending;
  const hide = () => {
    follower.hide();
  };
  const show = ({ persisted }: PageTransitionEvent) => {
    if (persisted) follower.show();
  };
  window.addEventListener('pagehide', hide, { signal });
  window.addEventListener('pageshow', show, { signal });
  return () => {
    ending.abort();
  };
}
