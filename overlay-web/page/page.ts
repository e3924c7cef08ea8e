/** The page that a bootstrap server serves at `/`: it joins the server's tree, and shows the tab's place in it. */

import { create, type Message, type OverlayNode, type Status } from 'overlay-web';

/** Most messages that are shown. Older ones make room. */
const SHOWN = 200;

/** Most characters that are shown of a message. */
const EXCERPT = 2_000;

/** Milliseconds between two looks at what nobody tells: the sentence, and the bytes. */
const LOOK = 500;

const element = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found;
};

const button = element('join') as HTMLButtonElement;
const input = element('text') as HTMLInputElement;
const sentence = element('sentence');

let node: OverlayNode | undefined;
let received = 0;

/** The settings in the address: `#join` joins at once; `#overlay=NAME&degree=N&from=oldest` say how. */
const settings = new URLSearchParams(location.hash.slice(1));

button.addEventListener('click', () => void (node === undefined ? join() : leave()));
element('send').addEventListener('submit', (event) => {
  event.preventDefault();
  void send();
});
setInterval(look, LOOK);
if (settings.has('join')) void join();

async function join(): Promise<void> {
  button.disabled = true;
  try {
    const degree = settings.get('degree');
    node = await create(location.origin.replace(/^http/, 'ws'), {
      overlay: settings.get('overlay') ?? 'default',
      from: settings.get('from') === 'oldest' ? 'oldest' : 'live',
      ...(degree === null ? {} : { maxDegree: Number(degree) }),
    });
    node.on('change', show);
    node.on('message', receive);
    node.on('gap', ({ from, to }) => {
      note('–', `${to.offset - from.offset} bytes of the stream are missing here`);
    });
    button.textContent = 'Leave';
    // Why it has not come in yet, the sentence says.
    node.join().catch(() => undefined);
  } catch (error) {
    sentence.textContent = error instanceof Error ? error.message : String(error);
  } finally {
    button.disabled = false;
  }
}

async function leave(): Promise<void> {
  button.disabled = true;
  await node?.leave();
  node = undefined;
  button.textContent = 'Join with this tab';
  button.disabled = false;
  look();
}

async function send(): Promise<void> {
  const text = input.value;
  if (text === '') return;
  if (node === undefined) {
    sentence.textContent = 'This tab is not in the tree: it has nobody to send to.';
    return;
  }
  input.value = '';
  try {
    if (node.role === 'root') await node.broadcast(text);
    else await node.sendUp(text);
    note('you', text);
  } catch (error) {
    note('you', `not sent: ${error instanceof Error ? error.message : String(error)}`);
    input.value = text;
  }
}

function receive(message: Message): void {
  received += message.bytes.length;
  note(message.from.slice(0, 8), excerptOf(message));
}

function excerptOf({ bytes }: Message): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, EXCERPT), { stream: true });
    return bytes.length > EXCERPT ? `${text}… (${bytes.length} bytes)` : text;
  } catch {
    return `${bytes.length} bytes`;
  }
}

/** Shows the state of the node. */
function show(status: Status): void {
  const path = status.path.map((id, depth) => {
    const item = document.createElement('li');
    const isSelf = depth === status.path.length - 1;
    item.textContent = isSelf ? `${id.slice(0, 8)} (this tab)` : id.slice(0, 8);
    item.className = isSelf ? 'self' : depth === 0 ? 'root' : '';
    item.title = id;
    return item;
  });
  element('path').replaceChildren(...path);
  element('depth').textContent = path.length === 0 ? '–' : String(path.length - 1);
  element('children').textContent = status.children.map((id) => id.slice(0, 8)).join(', ') || 'none';
  element('below').textContent = String(status.subtree.slice(1).reduce((sum, nodes) => sum + nodes, 0));
  look();
}

function look(): void {
  const text = node === undefined ? 'This tab is not in the tree.' : node.explain();
  // The same text again would be read out again.
  if (sentence.textContent !== text) sentence.textContent = text;
  element('bytes').textContent = received.toLocaleString('en');
}

function note(from: string, text: string): void {
  const item = document.createElement('li');
  const name = document.createElement('span');
  name.className = 'from';
  name.textContent = from;
  item.append(name, text);
  const list = element('messages');
  list.prepend(item);
  if (list.childElementCount > SHOWN) list.lastElementChild?.remove();
}
