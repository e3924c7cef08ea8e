// The harness: a server, a root, native nodes and tabs, each of which ends with its test.

import assert from 'node:assert/strict';
import { writeFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chromium } from 'playwright-core';

import { Process, Puppet } from './processes.mjs';

export const TOKEN = 'token-of-these-tests';

/** Milliseconds that a claim may take. */
const TIMEOUT = 120_000;

let browser;
let site;

/** A test in a world of its own. */
export function claim(name, story, timeout = TIMEOUT) {
  test(name, { timeout }, async () => {
    site ??= await serve('dist');
    browser ??= await launch();
    const world = await World.begin();
    try {
      await story(world);
      assert.deepEqual(world.errors, [], 'no page has thrown an error');
    } finally {
      await world.end();
    }
  });
}

/** Ends what all tests share. */
export async function endAll() {
  await browser?.close();
  site?.server.close();
  site?.server.closeAllConnections();
}

export function launch() {
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
  ];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
}

/** A static server of a folder, and of an empty page. */
async function serve(folder) {
  const types = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    if (path === '/') return response.setHeader('content-type', 'text/html').end('<!doctype html><title>tab</title>');
    try {
      const file = await readFile(join(folder, path));
      response.setHeader('content-type', types[path.match(/\.\w+$/)?.[0]] ?? 'text/plain');
      response.end(file);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}

/** A server, and all that is near it. */
export class World {
  errors = [];
  #processes = [];
  #contexts = [];
  #sites = [];

  static async begin() {
    const world = new World();
    world.folder = await mkdtemp(join(tmpdir(), 'overlay-web-'));
    world.tokenFile = join(world.folder, 'token');
    await writeFile(world.tokenFile, TOKEN);
    await world.startServer('127.0.0.1:0');
    return world;
  }

  async startServer(address) {
    this.server = this.#run(
      new Process('overlay', ['server', '--json', '--listen', address, '--token-file', this.tokenFile]),
    );
    const listening = await this.server.until((line) => line.event === 'listening', 'listening');
    this.address = listening.address.replace(/^ws:\/\//, '');
    this.url = `ws://${this.address}`;
  }

  async end() {
    await Promise.all(this.#contexts.map((context) => context.close().catch(() => {})));
    for (const { server } of this.#sites) server.close().closeAllConnections();
    await Promise.all(this.#processes.map((process) => process.kill()));
    await rm(this.folder, { recursive: true });
  }

  #run(process) {
    this.#processes.push(process);
    return process;
  }

  /** The `overlay` command with a node of this degree. */
  command(subcommand, degree, args = [], options = {}) {
    const own = subcommand === 'join' ? [] : ['--token-file', this.tokenFile];
    const all = [subcommand, '--json', '--bootstrap', this.url, '--degree', String(degree), ...own, ...args];
    return this.#run(new Process('overlay', all, { events: subcommand === 'join' ? 'stderr' : 'stdout', ...options }));
  }

  /** A native node that has not begun to join. */
  async puppet(degree = 10) {
    return this.#run(await Puppet.make(this.url, degree));
  }

  /** A native root that is registered. */
  async root(degree = 10) {
    const root = await this.puppet(degree);
    root.do('root', { token: TOKEN });
    await root.is('promoted');
    return root;
  }

  /** A native node that is in the tree. */
  async member(degree = 10) {
    const member = await this.puppet(degree);
    member.do('join');
    member.joined = await member.is('parent');
    return member;
  }

  /** A page that has loaded the package. Pages of one context share a process; each tab has a context unless it is given one. */
  async page(context, url = site.url) {
    if (context === undefined) {
      context = await browser.newContext();
      this.#contexts.push(context);
    }
    const page = await context.newPage();
    page.on('pageerror', (error) => this.errors.push(error.stack ?? String(error)));
    page.on('console', (message) => {
      // What a content security policy has refused, only the console is told.
      if (message.type() === 'error' && message.text().includes('Content Security Policy'))
        this.errors.push(message.text());
      if (process.env.VERBOSE) console.log('  page:', message.text());
    });
    await page.goto(url);
    return page;
  }

  /** The page that the server itself has. */
  serversPage(fragment = '') {
    return this.page(undefined, `http://${this.address}/${fragment}`);
  }

  /** The address of a site with the files of a folder. */
  async site(folder) {
    const site = await serve(folder);
    this.#sites.push(site);
    return site.url;
  }

  /** A tab with a node that is in no tree. */
  async newTab(options = {}) {
    const tab = new Tab(await this.page());
    await tab.load(this.url, options);
    return tab;
  }

  /** A tab that is in the tree. */
  async tab(options = {}) {
    const tab = await this.newTab(options);
    await tab.run((node) => node.join());
    return tab;
  }

  /** A tab that is the root. */
  async rootTab(options = {}) {
    const tab = await this.newTab(options);
    await tab.run((node, token) => node.becomeRoot(token), TOKEN);
    return tab;
  }
}

/** A page with one node. */
export class Tab {
  constructor(page) {
    this.page = page;
  }

  /** Makes the node. What it tells is kept in the page. */
  async load(url, options) {
    await this.page.evaluate(
      async ([url, options]) => {
        const overlay = await import('/index.js');
        globalThis.overlay = overlay;
        const node = await overlay.create(url, options);
        globalThis.node = node;
        const heard = [];
        globalThis.heard = heard;
        for (const kind of [
          'parent',
          'parentLost',
          'child',
          'childLost',
          'gap',
          'rejected',
          'serverLost',
          'tree',
          'left',
        ]) {
          node.on(kind, (event) => heard.push({ ...event }));
        }
      },
      [url, options],
    );
    this.id = await this.run((node) => node.id);
  }

  /** Runs a function of the node, and one argument, in the page. */
  run(story, argument) {
    return this.page.evaluate(`(${story})(node, ${JSON.stringify(argument)})`);
  }

  /** Waits until a function of the node is true in the page. */
  async until(condition, what = String(condition), timeout = 30_000) {
    try {
      await this.page.waitForFunction(`(${condition})(node, heard)`, undefined, { timeout });
    } catch (error) {
      const state = await this.run((node) => ({ role: node.role, explain: node.explain(), heard: globalThis.heard }));
      throw new Error(`the tab: not ${what}: ${error.message}\n${JSON.stringify(state)}`, { cause: error });
    }
  }

  /** The next message, as plain data. */
  message() {
    return this.run(async (node) => {
      const message = await node.nextMessage();
      const { from, scope, bytes } = message;
      const isWhole = bytes.every((byte, at) => byte === at % 251);
      return { from, scope, size: bytes.length, isWhole, text: bytes.length < 1000 ? message.text() : undefined };
    });
  }
}
