// Messages between tabs and native nodes: each scope, both ways, and of any size.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { claim, endAll } from './harness.mjs';

after(endAll);

const LARGE = 4 * 1024 * 1024;
const LARGEST = 16 * 1024 * 1024;

/** A page's function that makes bytes 0, 1, … 250, 0, …. */
const pattern = (size) => `Uint8Array.from({ length: ${size} }, (_, at) => at % 251)`;

claim('a broadcast of a native root reaches tabs and native nodes at every depth, in order', async (world) => {
  const root = await world.root(1);
  const inner = await world.tab({ maxDegree: 1 });
  const native = await world.member(1);
  const leaf = await world.tab();
  for (const text of ['one', 'two', 'three']) root.do('broadcast', { text });
  for (const text of ['one', 'two', 'three']) {
    assert.deepEqual(await inner.message(), {
      from: root.id,
      scope: 'broadcast',
      size: text.length,
      isWhole: false,
      text,
    });
    await native.is('message', { scope: 'broadcast', text });
    assert.equal((await leaf.message()).text, text);
  }
});

claim('a broadcast of a tab reaches tabs and native nodes', async (world) => {
  const root = await world.rootTab({ maxDegree: 1 });
  const native = await world.member(1);
  const leaf = await world.tab();
  assert.equal(await root.run((node) => node.broadcast('hello')), 1);
  await native.is('message', { from: root.id, scope: 'broadcast', text: 'hello' });
  assert.equal((await leaf.message()).text, 'hello');
});

claim('neighbours send to each other through every kind of link', async (world) => {
  const root = await world.root(1);
  const tab = await world.tab({ maxDegree: 1 });
  const leaf = await world.tab();
  await tab.until((node) => node.children.length === 1);
  await tab.run((node) => node.send(node.parent, 'to a native parent'));
  await root.is('message', { scope: 'direct', from: tab.id, text: 'to a native parent' });
  root.do('send', { to: tab.id, text: 'to a tab' });
  assert.equal((await tab.message()).text, 'to a tab');
  await tab.run((node) => node.send(node.children[0], 'tab to tab'));
  assert.equal((await leaf.message()).text, 'tab to tab');
  await leaf.run((node) => node.send(node.parent, 'and back'));
  assert.equal((await tab.message()).text, 'and back');
});

claim('a message goes up to the root from any depth, and the reply comes down', async (world) => {
  const root = await world.root(1);
  root.do('echo');
  await world.tab({ maxDegree: 1 });
  const leaf = await world.tab();
  await leaf.run((node) => node.sendUp('up we go'));
  await root.is('message', { scope: 'up', from: leaf.id, text: 'up we go' });
  assert.deepEqual(await leaf.message(), { from: root.id, scope: 'reply', size: 8, isWhole: false, text: 'up we go' });
});

claim('a tab that is the root replies', async (world) => {
  const root = await world.rootTab();
  const native = await world.member();
  native.do('up', { text: 'are you there?' });
  await root.run(async (node) => (await node.nextMessage()).reply('yes'));
  await native.is('message', { scope: 'reply', from: root.id, text: 'yes' });
});

claim('every node answers what a native root asks', async (world) => {
  const root = await world.root(1);
  const tab = await world.tab({ maxDegree: 1 });
  await world.member();
  await root.until((line) => line.is === 'tree' && line.nodes.reduce((sum, n) => sum + n) === 3, 'a tree of three');
  await tab.run((node) => void node.on('question', (question) => question.answer(`tab: ${question.text()}`)));
  root.do('ask', { text: 'name' });
  const { asked, answers } = await root.is('answers');
  assert.equal(asked, 2);
  assert.deepEqual(answers.sort(), ['NAME', 'tab: name']);
});

claim('a tab that is the root asks, and sums up', async (world) => {
  const root = await world.rootTab();
  const tabs = [await world.tab(), await world.tab()];
  await Promise.all(
    tabs.map((tab, at) => tab.page.evaluate((own) => void node.on('question', (q) => q.answer(own)), at + 20)),
  );
  await root.until((node, heard) => heard.some((e) => e.type === 'tree' && e.nodes.reduce((a, b) => a + b) === 3));
  const sum = await root.run(async (node) => {
    const answers = await node.ask('', { combine: 'sum' });
    return [answers.answered, answers.asked, String(answers.number)];
  });
  assert.deepEqual(sum, [2, 2, '41']);
});

claim('the largest message goes from a tab to a native node and on to a tab, whole', async (world) => {
  const root = await world.rootTab({ maxDegree: 1 });
  const native = await world.member(1);
  const leaf = await world.tab();
  await leaf.page.evaluate(() => {
    globalThis.got = node.nextMessage();
  });
  const reported = await root.page.evaluate(
    `(async () => {
      const seen = [];
      await node.broadcast(${pattern(LARGEST)}, { onProgress: (bytes, total) => seen.push([bytes, total]) });
      return seen;
    })()`,
  );
  assert.ok(reported.length > 10, 'progress is told while it goes out');
  assert.deepEqual(reported.at(-1), [LARGEST, LARGEST]);
  assert.equal((await native.is('message', { size: LARGEST })).whole, true);
  const whole = await leaf.page.evaluate(async () => {
    const { bytes } = await globalThis.got;
    return [bytes.length, bytes.every((byte, at) => byte === at % 251)];
  });
  assert.deepEqual(whole, [LARGEST, true]);
});

claim('a large message that is aborted is taken back, and the next one arrives', async (world) => {
  const root = await world.rootTab();
  const native = await world.member();
  const error = await root.page.evaluate(
    `(async () => {
      const abort = new AbortController();
      const sending = node.broadcast(${pattern(LARGE)}, { signal: abort.signal, onProgress: () => abort.abort() });
      return await sending.then(() => 'sent', (error) => error.name);
    })()`,
  );
  assert.equal(error, 'AbortError');
  await root.run((node) => node.broadcast('after it'));
  await native.is('message', { text: 'after it' });
});

claim('a message above the limit is refused with both figures', async (world) => {
  const root = await world.rootTab();
  const text = await root.run((node) => node.broadcast(new Uint8Array(16 * 1024 * 1024 + 1)).catch(String));
  assert.match(text, /16777217 bytes exceeds the limit of 16777216/);
});

claim('what a tab does not take holds the sender back, and nothing is lost', async (world) => {
  const root = await world.root();
  const tab = await world.tab();
  const count = 300;
  for (let n = 0; n < count; n += 1) root.do('send', { to: tab.id, size: 10_000 + n });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const sizes = await tab.run(async (node, count) => {
    const sizes = [];
    while (sizes.length < count) sizes.push((await node.nextMessage()).bytes.length);
    return sizes;
  }, count);
  assert.deepEqual(
    sizes,
    Array.from({ length: count }, (_, n) => 10_000 + n),
  );
});

claim('a tab that comes late and wants the oldest gets the stream from its beginning', async (world) => {
  const root = await world.root();
  await world.tab();
  for (const text of ['a', 'b', 'c']) root.do('broadcast', { text });
  await root.do('end', { text: 'over' });
  const late = await world.tab({ from: 'oldest' });
  const texts = [];
  for (let n = 0; n < 4; n += 1) texts.push((await late.message()).text);
  assert.deepEqual(texts, ['a', 'b', 'c', 'over']);
});

claim('the bytes of the command arrive without its headers', async (world) => {
  const root = world.command('root', 10);
  const tab = await world.tab();
  await tab.page.evaluate(() => {
    globalThis.text = new Response(overlay.fromCommand(node)).text();
  });
  root.write('line one\nline two\n');
  root.close();
  assert.equal(await tab.page.evaluate(() => globalThis.text), 'line one\nline two\n');
});

claim('a handler gets one message at a time, and those that came before it', async (world) => {
  const root = await world.root();
  const tab = await world.tab();
  root.do('send', { to: tab.id, text: 'early' });
  root.do('send', { to: tab.id, text: 'second' });
  const order = await tab.page.evaluate(async () => {
    const order = [];
    const off = node.on('message', async (message) => {
      order.push(`takes ${message.text()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      order.push(`took ${message.text()}`);
    });
    while (order.length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
    off();
    return order;
  });
  assert.deepEqual(order, ['takes early', 'took early', 'takes second', 'took second']);
  root.do('send', { to: tab.id, text: 'third' });
  assert.equal((await tab.message()).text, 'third');
});
