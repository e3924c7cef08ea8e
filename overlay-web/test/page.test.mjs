// The page that a bootstrap server has at `/`.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after } from 'node:test';

import { claim, endAll } from './harness.mjs';

after(endAll);

claim('the page joins with one click, and shows its place', async (world) => {
  const root = await world.root();
  const page = await world.serversPage();
  await page.getByRole('button', { name: 'Join with this tab' }).click();
  await root.is('child');
  await page.getByRole('status').getByText('This node is in the tree, at depth 1.').waitFor();
  assert.deepEqual(
    await page
      .locator('#path li')
      .allTextContents()
      .then((items) => items.length),
    2,
  );
  await page.getByRole('button', { name: 'Leave' }).click();
  assert.match((await root.is('childLost')).reason, /left/);
});

claim('the page joins at once by its address, and messages go both ways', async (world) => {
  const root = await world.root();
  const page = await world.serversPage('#join');
  await root.is('child');
  root.do('broadcast', { text: '<b>hello</b>' });
  await page.locator('#messages').getByText('<b>hello</b>').waitFor();
  await page.getByLabel('A message to the root').fill('and back');
  await page.keyboard.press('Enter');
  await root.is('message', { scope: 'up', text: 'and back' });
});

claim('the page says why it is not in the tree', async (world) => {
  const page = await world.serversPage('#join');
  await page.getByRole('status').getByText('no root').waitFor();
});

claim('the page fits a phone', async (world) => {
  const page = await world.serversPage();
  await page.setViewportSize({ width: 390, height: 844 });
  assert.ok(await page.evaluate('document.documentElement.scrollWidth <= 390'));
});

claim('a page of another origin imports the package from the server', async (world) => {
  const root = await world.root();
  const page = await world.page();
  await page.evaluate(
    `import('http://${world.address}/overlay.js').then(({ join }) => join('${world.url}')).then((node) => node.id)`,
  );
  await root.is('child');
});

claim('the page of the README joins, and prints what it gets', async (world) => {
  const root = await world.root();
  const [, html] = (await readFile('README.md', 'utf8')).match(/```html\n(.*?)```/s);
  assert.ok(html.split('\n').length <= 21, 'it has 20 lines');
  const page = await world.page();
  await page.setContent(html.replace('localhost:8080', world.address));
  await root.is('child');
  root.do('broadcast', { text: 'hello' });
  await page.locator('#messages').getByText('hello').waitFor();
  await page.locator('#state').getByText('in the tree, at depth 1').waitFor();
});
