// Bundles the package: `node build.mjs`, called by `scripts/web` when the WebAssembly is there.

import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { deflate } from '@gfx/zopfli';
import { build } from 'esbuild';

/** The folder of the page in the `overlay` command. */
const PAGE = '../overlay-cli/page';

/** All that the committed page is made from. Two compilers make different bytes of it, so what is compared is the source. */
const SOURCES = ['../overlay-core/src', 'src', 'ts', 'page', 'build.mjs'];

/** Most bytes of the single file, gzipped. */
const LIMIT = 120 * 1024;

const wasm = await readFile('build/overlay.wasm');
await mkdir('dist', { recursive: true });
await copyFile('build/overlay.wasm', 'dist/overlay.wasm');
// Zopfli's output is 4 % smaller than zlib's, and any browser unpacks it.
const deflated = await new Promise((resolve, reject) => {
  deflate(wasm, { numiterations: 15 }, (error, output) => (error ? reject(error) : resolve(output)));
});
const packed = Buffer.from(deflated).toString('base64');
await writeFile('build/packed.js', `export default '${packed}';\n`);
await writeFile('build/packed.d.ts', 'declare const packed: string;\nexport default packed;\n');

await build({
  entryPoints: { index: 'ts/index.ts', slim: 'ts/slim.ts' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
});

// The server's page is part of the `overlay` command, which who builds it with cargo alone gets as well: so it is committed.
await mkdir(PAGE, { recursive: true });
await build({
  entryPoints: ['page/page.ts'],
  outfile: join(PAGE, 'page.js'),
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  alias: { 'overlay-web': './overlay.js' },
  external: ['./overlay.js'],
  logLevel: 'warning',
});
await copyFile('dist/index.js', join(PAGE, 'overlay.js'));
await writeFile(join(PAGE, 'SOURCES'), `${await digest(SOURCES)}\n`);

const sizes = await Promise.all(
  ['build/core/overlay_web_bg.wasm', 'dist/overlay.wasm', 'dist/slim.js', 'dist/index.js'].map(async (file) => {
    const bytes = await readFile(file);
    return {
      file,
      bytes: bytes.length,
      gzip: gzipSync(bytes, { level: 9 }).length,
      brotli: brotliCompressSync(bytes).length,
    };
  }),
);
console.table(sizes);
const single = sizes.at(-1).gzip;
if (single > LIMIT) {
  console.error(`The single file has ${single} bytes gzipped: more than ${LIMIT}.`);
  process.exit(1);
}

/** A digest of files and of all that is in folders, names included. */
async function digest(paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => undefined);
    const files = entries?.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)) ?? [
      path,
    ];
    for (const file of files.sort())
      hash
        .update(`${file}\0`)
        .update(await readFile(file))
        .update('\0');
  }
  return hash.digest('hex');
}
