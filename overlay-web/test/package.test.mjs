// The package as npm packs it: its types, and what bundlers make of it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { build as esbuild } from 'esbuild';
import { build as vite } from 'vite';
import webpack from 'webpack';

import { claim, endAll } from './harness.mjs';

const run = promisify(execFile);

/** An app of one line, and one with the module in a file of its own. */
const APP = "import * as overlay from 'overlay-web';\nglobalThis.overlay = overlay;\n";
const SLIM = "import * as overlay from 'overlay-web/slim';\nglobalThis.overlay = overlay;\n";

let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'overlay-app-'));
  const module = join(folder, 'node_modules', 'overlay-web');
  await mkdir(module, { recursive: true });
  await run('npm', ['pack', '--silent', '--pack-destination', folder]);
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  await run('tar', ['-xzf', join(folder, tarball), '-C', module, '--strip-components=1']);
  await writeFile(join(folder, 'app.js'), APP);
  await writeFile(join(folder, 'slim.js'), SLIM);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
});

after(async () => {
  await endAll();
  await rm(folder, { recursive: true });
});

/** What a bundler has made joins. */
async function joins(world, files, script) {
  const root = await world.root();
  const page = await world.page(undefined, await world.site(files));
  await page.addScriptTag({ type: 'module', url: script });
  await page.waitForFunction('globalThis.overlay');
  await page.evaluate((url) => globalThis.overlay.join(url).then((node) => node.id), world.url);
  await root.is('child');
}

claim('esbuild bundles it', async (world) => {
  const outdir = join(folder, 'esbuild');
  await esbuild({ entryPoints: [join(folder, 'app.js')], outdir, bundle: true, format: 'esm', logLevel: 'silent' });
  await joins(world, outdir, '/app.js');
});

for (const entry of ['app', 'slim']) {
  claim(`vite bundles it: ${entry}`, async (world) => {
    const outDir = join(folder, `vite-${entry}`);
    const rollupOptions = { input: join(folder, `${entry}.js`), output: { entryFileNames: '[name].js' } };
    await vite({ root: folder, logLevel: 'silent', configFile: false, build: { outDir, rollupOptions } });
    await joins(world, outDir, `/${entry}.js`);
  });

  claim(`webpack bundles it: ${entry}`, async (world) => {
    const path = join(folder, `webpack-${entry}`);
    const output = { path, filename: 'out.js', publicPath: '/' };
    const options = { mode: 'production', context: folder, entry: `./${entry}.js`, output, performance: false };
    const stats = await promisify(webpack)(options);
    assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).errors, []);
    await joins(world, path, '/out.js');
  });
}

test('Node.js imports it, and has a clear word for what it lacks', async () => {
  const script =
    "import { join } from 'overlay-web'; await join('ws://127.0.0.1:1').catch((e) => console.log(e.message));";
  await writeFile(join(folder, 'node.mjs'), script);
  const { stdout } = await run('node', ['node.mjs'], { cwd: folder, timeout: 20_000 });
  assert.match(stdout, /there is no RTCPeerConnection here: a node needs a browser/);
});

claim('a program in Node.js joins, with WebRTC from npm', async (world) => {
  const root = await world.root();
  const program = [
    "import polyfill from 'node-datachannel/polyfill';",
    "import WebSocket from 'ws';",
    'Object.assign(globalThis, { WebSocket }, polyfill);',
    "const { join } = await import('./dist/index.js');",
    'const node = await join(process.argv[1]);',
    'for await (const message of node) { console.log(message.text()); break; }',
    'process.exit();',
  ];
  const running = run('node', ['--input-type=module', '--eval', program.join('\n'), world.url], { timeout: 60_000 });
  await root.is('child');
  root.do('broadcast', { text: 'hello' });
  assert.equal((await running).stdout, 'hello\n');
});

test('TypeScript finds its types', async () => {
  const source = [
    "import { join, type OverlayNode } from 'overlay-web';",
    "import { useWasm } from 'overlay-web/slim';",
    "const node: OverlayNode = await join('wss://example.org', { maxDegree: 3 });",
    'for await (const message of node) console.log(message.text());',
    "useWasm(() => fetch('/overlay.wasm'));",
    'export {};',
  ];
  await writeFile(join(folder, 'app.ts'), source.join('\n'));
  const tsc = join(process.cwd(), 'node_modules', '.bin', 'tsc');
  for (const resolution of [
    ['--module', 'nodenext'],
    ['--module', 'esnext', '--moduleResolution', 'bundler'],
  ]) {
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,dom', ...resolution, 'app.ts'];
    await run(tsc, options, { cwd: folder }).catch(({ stdout }) => assert.fail(stdout));
  }
});

test('publint and arethetypeswrong find nothing', async () => {
  await run('npx', ['publint', '--strict']);
  const options = ['--pack', '.', '--profile', 'esm-only', '--exclude-entrypoints', './overlay.wasm', './package.json'];
  await run('npx', ['attw', ...options]).catch(({ stdout }) => assert.fail(stdout));
});
