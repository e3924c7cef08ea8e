// Native processes of the tests: the `overlay` command, and the puppet. All end with the test that has started them.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const bin = process.env.OVERLAY_BIN ?? '../target/debug';

/** A process that prints one JSON object a line. */
export class Process {
  #lines = [];
  #waiting = [];
  #child;
  stdout = '';
  stderr = '';

  /** `events`: where its lines are, `stdout` or `stderr`. */
  constructor(command, args, { events = 'stdout', env = {} } = {}) {
    this.name = [command, ...args].join(' ');
    this.#child = spawn(`${bin}/${command}`, args, { env: { ...process.env, ...env }, stdio: 'pipe' });
    this.#child.stdin.on('error', () => {});
    this.ended = new Promise((resolve) => this.#child.on('exit', resolve));
    createInterface({ input: this.#child[events] }).on('line', (line) => this.#take(line));
    if (events === 'stderr') this.#child.stdout.on('data', (data) => (this.stdout += data));
    else this.#child.stderr.on('data', (data) => (this.stderr += data));
  }

  #take(line) {
    if (!line.startsWith('{')) return;
    this.#lines.push(JSON.parse(line));
    for (const look of [...this.#waiting]) look();
  }

  /** The next line that is `wanted`, among those that no earlier call was given. Others stay. */
  async until(wanted, what = 'a line', timeout = 30_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== look);
        reject(new Error(`${this.name}: no ${what}\nlines: ${JSON.stringify(this.#lines)}\n${this.stderr}`));
      }, timeout);
      const look = () => {
        const at = this.#lines.findIndex(wanted);
        if (at < 0) return;
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== look);
        resolve(this.#lines.splice(at, 1)[0]);
      };
      this.#waiting.push(look);
      look();
    });
  }

  /** Writes to its stdin. */
  write(text) {
    this.#child.stdin.write(text);
  }

  /** Ends its stdin. */
  close() {
    this.#child.stdin.end();
  }

  /** Ends the process. */
  async kill(signal = 'SIGKILL') {
    this.#child.kill(signal);
    await this.ended;
  }

  get pid() {
    return this.#child.pid;
  }
}

/** A native node that does what it is told. */
export class Puppet extends Process {
  static async make(url, degree) {
    const puppet = new Puppet('examples/puppet', [url, String(degree)]);
    puppet.id = (await puppet.is('made')).node;
    return puppet;
  }

  /** Tells it to do something. */
  do(wish, more = {}) {
    this.write(JSON.stringify({ do: wish, ...more }) + '\n');
  }

  /** The next event of a kind, with these fields. */
  is(kind, fields = {}) {
    const isIt = (line) => line.is === kind && Object.entries(fields).every(([name, value]) => line[name] === value);
    return this.until(isIt, `${kind} ${JSON.stringify(fields)}`);
  }
}
