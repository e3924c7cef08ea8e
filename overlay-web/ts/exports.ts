/** What both entries of the package export. */

export type { Position } from './actions.js';
export { becomeRoot, create, join } from './api.js';
export { fromCommand, type CommandOptions, type MissingBytes } from './command-stream.js';
export { OverlayError, type ErrorCode } from './errors.js';
export { Answers, Message, Question, type Answer, type MessageScope } from './message.js';
export type { Combine, PublicNews, Role, Status } from './news.js';
export { OverlayNode, type AskOptions, type FullStatus, type NodeEvents } from './node.js';
export type { JoinOptions, NodeOptions } from './options.js';
export type { SendOptions } from './outgoing.js';
export type { Payload } from './payload.js';
