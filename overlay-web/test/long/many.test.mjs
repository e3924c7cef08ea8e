// Connections without number: what a browser frees late must not keep a tab out. Minutes long: `scripts/web-test long/many`.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { claim, endAll } from '../harness.mjs';

after(endAll);

const MANY = 600;
const TIMEOUT = 600_000;

/** Counts the connections of a page that are not closed, without holding one. */
function count(page) {
  return page.evaluate(() => {
    const Real = globalThis.RTCPeerConnection;
    globalThis.made = 0;
    globalThis.ended = 0;
    globalThis.RTCPeerConnection = class extends Real {
      #isClosed = false;
      constructor(config) {
        super(config);
        globalThis.made += 1;
      }
      close() {
        if (!this.#isClosed) globalThis.ended += 1;
        this.#isClosed = true;
        super.close();
      }
    };
  });
}

const counted = (page) => page.evaluate('[globalThis.made, globalThis.made - globalThis.ended]');

claim(
  `after ${MANY} attempts that fail, a tab joins`,
  async (world) => {
    await world.root();
    const page = await world.page();
    await count(page);
    await page.evaluate(
      async ([url, many]) => {
        const { create, join } = await import('/index.js');
        // Without a relay there is no way between them, so each fails.
        const nowhere = { iceTransportPolicy: 'relay' };
        for (let made = 0; globalThis.made < many; made += 1) {
          const node = await create(url, nowhere);
          node.join().catch(() => {});
          while (globalThis.made <= made) await new Promise((resolve) => setTimeout(resolve, 5));
          await node.leave();
        }
        globalThis.failed = globalThis.made;
        globalThis.node = await join(url);
      },
      [world.url, MANY],
    );
    const [made, alive] = await counted(page);
    console.log(`${made} connections made, ${alive} alive`);
    assert.ok(made > MANY);
    assert.equal(alive, 1);
  },
  TIMEOUT,
);

claim(
  `a tab that has been the parent of ${MANY} children takes one more`,
  async (world) => {
    const parent = await world.newTab();
    await count(parent.page);
    await parent.run((node, token) => node.becomeRoot(token), 'token-of-these-tests');
    const start = Date.now();
    const pages = await Promise.all(Array.from({ length: 4 }, () => world.page()));
    await Promise.all(
      pages.map((page) =>
        page.evaluate(
          async ([url, many]) => {
            const { join } = await import('/index.js');
            for (let n = 0; n < many; n += 1) await (await join(url)).leave();
          },
          [world.url, MANY / pages.length],
        ),
      ),
    );
    console.log(`${MANY} children came and went in ${(Date.now() - start) / 1000} s`);
    const last = await world.tab();
    await parent.until((node) => node.children.length === 1);
    const [made, alive] = await counted(parent.page);
    console.log(
      `${made} connections made, ${alive} alive; the last one at depth ${await last.run((node) => node.depth)}`,
    );
    assert.equal(alive, 1);
  },
  TIMEOUT,
);
