// Bundles the package: `node build.mjs`, called by `scripts/web` when the WebAssembly is there.

import { readFile, writeFile, mkdir, copyFile } from 'node:fs/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { deflate } from '@gfx/zopfli';
import { build } from 'esbuild';

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
