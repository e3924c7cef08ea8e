// Tabs, native nodes and servers that go, come back, freeze and lie.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { claim, endAll } from './harness.mjs';

after(endAll);

claim('a tab that leaves says goodbye, and its children find another parent', async (world) => {
  const root = await world.root(1);
  const inner = await world.tab({ maxDegree: 1 });
  const native = await world.member(1);
  await inner.run((node) => node.leave());
  assert.match((await root.is('childLost', { node: inner.id })).reason, /left/);
  assert.equal((await native.is('parent')).node, root.id);
  assert.equal(await inner.run((node) => node.role), 'detached');
});

claim('a tab that is closed says goodbye', async (world) => {
  const root = await world.root();
  const tab = await world.tab();
  await tab.page.close({ runBeforeUnload: false });
  assert.match((await root.is('childLost', { node: tab.id })).reason, /left/);
});

claim('a tab that is reloaded comes back as another node', async (world) => {
  const root = await world.root();
  const tab = await world.tab();
  const first = tab.id;
  await tab.page.reload();
  assert.match((await root.is('childLost', { node: first })).reason, /left/);
  await tab.load(world.url, {});
  await tab.run((node) => node.join());
  assert.notEqual(tab.id, first);
  await root.is('child', { node: tab.id });
});

claim('a tab whose native parent is killed finds another', async (world) => {
  const root = await world.root(1);
  const inner = await world.member(1);
  const leaf = await world.tab();
  assert.equal(await leaf.run((node) => node.parent), inner.id);
  await inner.kill();
  await leaf.until((node) => node.parent !== undefined && node.depth === 1, 'at depth 1', 60_000);
  assert.equal(await leaf.run((node) => node.parent), root.id);
});

claim('a tab that moves misses nothing of the stream', async (world) => {
  const root = await world.root(1);
  const inner = await world.member(1);
  const leaf = await world.tab();
  root.do('broadcast', { text: 'before' });
  assert.equal((await leaf.message()).text, 'before');
  await inner.kill();
  for (const text of ['while', 'it', 'moves']) root.do('broadcast', { text });
  const texts = [];
  for (let n = 0; n < 3; n += 1) texts.push((await leaf.message()).text);
  assert.deepEqual(texts, ['while', 'it', 'moves']);
  assert.equal(await leaf.run(() => globalThis.heard.filter((event) => event.type === 'gap').length), 0);
});

claim('the tree lives while the server is gone, and a tab finds the new one', async (world) => {
  const root = await world.root();
  const member = await world.tab();
  await world.server.kill();
  root.do('broadcast', { text: 'without a server' });
  assert.equal((await member.message()).text, 'without a server');
  await world.startServer(world.address);
  const late = await world.tab();
  assert.equal(await late.run((node) => node.role), 'member');
});

claim('a page that blocks for eight seconds keeps its place and misses nothing', async (world) => {
  const root = await world.root();
  const tab = await world.tab();
  const blocked = tab.page.evaluate(() => {
    const end = performance.now() + 8_000;
    while (performance.now() < end);
  });
  for (let n = 0; n < 20; n += 1) root.do('broadcast', { text: String(n) });
  await blocked;
  for (let n = 0; n < 20; n += 1) assert.equal((await tab.message()).text, String(n));
  assert.equal(await tab.run(() => globalThis.heard.filter((event) => event.type === 'parentLost').length), 0);
});

claim('join is rejected when its signal is aborted, and the node then leaves', async (world) => {
  const tab = await world.newTab();
  const name = await tab.run((node) => node.join(AbortSignal.timeout(500)).catch((error) => error.name));
  assert.equal(name, 'TimeoutError');
  await tab.until((node) => node.role === 'detached');
});

claim('a wrong token is refused with a reason', async (world) => {
  const tab = await world.newTab();
  const text = await tab.run((node) => node.becomeRoot('not-the-token').catch(String));
  assert.match(text, /token/);
});

claim('a tab says why it finds no server', async (world) => {
  const tab = await world.newTab();
  await world.server.kill();
  await tab.run((node) => void node.join().catch(() => {}));
  await tab.until((node, heard) => heard.some((event) => event.type === 'serverLost'), 'serverLost');
  assert.match(await tab.run((node) => node.explain()), /it is not running/);
});

claim('garbage from a page costs the server and the tree nothing', async (world) => {
  const root = await world.root();
  const page = await world.page();
  const closed = await page.evaluate(async (url) => {
    const outcome = [];
    for (let n = 0; n < 50; n += 1) {
      const socket = new WebSocket(url);
      socket.onopen = () => {
        socket.send(crypto.getRandomValues(new Uint8Array(1 + n * 40)));
        socket.send('a text');
      };
      outcome.push(new Promise((resolve) => (socket.onclose = ({ code }) => resolve(code))));
    }
    return Promise.all(outcome);
  }, world.url);
  assert.equal(closed.length, 50);
  const tab = await world.tab();
  await root.is('child', { node: tab.id });
});

claim('a handler that is added late hears the present state', async (world) => {
  const root = await world.root();
  const tab = await world.tab();
  const parent = await tab.run((node) => new Promise((resolve) => node.on('parent', (event) => resolve(event.node))));
  assert.equal(parent, root.id);
});

claim('a token that is too long, and a way to combine that is none, are told', async (world) => {
  const root = await world.newTab();
  const refused = await root.run((node) => node.becomeRoot('x'.repeat(10_000)).catch(String));
  assert.match(refused, /The token is longer/);
  await root.run((node, token) => node.becomeRoot(token), 'token-of-these-tests');
  assert.match(await root.run((node) => node.ask('', { combine: 'concat' }).catch(String)), /no such way to combine/);
});
