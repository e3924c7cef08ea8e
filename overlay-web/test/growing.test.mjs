// Tabs and native nodes that come into one tree, in every combination.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { claim, endAll } from './harness.mjs';

after(endAll);

claim('a tab joins a native root', async (world) => {
  const root = await world.root();
  const tab = await world.tab();
  await root.is('child', { node: tab.id });
  assert.equal(await tab.run((node) => node.depth), 1);
  assert.equal(await tab.run((node) => node.parent), root.id);
  assert.match(await tab.run((node) => node.explain()), /in the tree, at depth 1/);
});

claim('a native node joins below a tab', async (world) => {
  await world.root(1);
  const tab = await world.tab();
  const native = await world.member();
  assert.equal(native.joined.node, tab.id);
  await tab.until((node) => node.children.length === 1);
  assert.deepEqual(await tab.run((node) => node.children), [native.id]);
});

claim('a tab joins below a tab', async (world) => {
  await world.root(1);
  const inner = await world.tab();
  const leaf = await world.tab();
  assert.equal(await leaf.run((node) => node.parent), inner.id);
  assert.equal(await leaf.run((node) => node.depth), 2);
});

claim('a tab is the root of native nodes and of tabs', async (world) => {
  const root = await world.rootTab();
  const native = await world.member();
  const tab = await world.tab();
  assert.equal(native.joined.node, root.id);
  assert.equal(await tab.run((node) => node.parent), root.id);
  await root.until((node) => node.children.length === 2);
  assert.equal(await root.run((node) => node.role), 'root');
});

claim('five tabs and five native nodes of degree two all join, and none exceeds two', async (world) => {
  const root = await world.root(2);
  const joining = [];
  for (let n = 0; n < 5; n += 1) joining.push(world.tab({ maxDegree: 2 }), world.member(2));
  const nodes = await Promise.all(joining);
  await root.until((line) => line.is === 'tree' && line.nodes.reduce((sum, n) => sum + n) === 11, 'tree of 11 nodes');
  for (const tab of nodes.filter((node) => node.page)) {
    assert.ok((await tab.run((node) => node.children.length)) <= 2);
  }
});

claim('a tab that takes no children is a leaf', async (world) => {
  await world.root(1);
  const leaf = await world.tab({ maxDegree: 0 });
  const late = await world.newTab();
  await late.run((node) => void node.join().catch(() => {}));
  await late.until((node, heard) => heard.some((event) => event.type === 'rejected'), 'rejected');
  assert.equal(await leaf.run((node) => node.children.length), 0);
  assert.match(await late.run((node) => node.explain()), /the tree is full/);
});

claim('a tab that comes before the root joins when there is one', async (world) => {
  const tab = await world.newTab();
  await tab.run((node) => void node.join());
  await tab.until((node, heard) => heard.some((event) => event.type === 'rejected'), 'rejected');
  await world.root();
  await tab.until((node) => node.role === 'member');
});
