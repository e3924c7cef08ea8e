// Pictures of the server's page, of a tree of 25 native nodes and three tabs: `scripts/web-test pictures DIR`.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { launch } from './harness.mjs';
import { Process } from './processes.mjs';

const [folder] = process.argv.slice(2);
await mkdir(folder, { recursive: true });

const up = new Process('overlay', ['up', '--json', '--nodes', '25', '--degree', '3']);
const { server } = await up.until((line) => line.event === 'started', 'started');
const browser = await launch();

async function tab(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`http://${server}/#join`);
  await page.getByRole('status').getByText('in the tree').waitFor();
  await page.locator('#messages li').nth(3).waitFor();
  return page;
}

const views = {
  wide: { viewport: { width: 1100, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
  dark: { viewport: { width: 1100, height: 800 }, colorScheme: 'dark' },
};
for (const [name, options] of Object.entries(views)) {
  const page = await tab(options);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  console.log(join(folder, `${name}.png`));
}
await browser.close();
await up.kill('SIGTERM');
