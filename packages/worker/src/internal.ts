/** For `@turnpike/testing` alone: not a part of what users see. */
export { CodeTools } from './code/code-tools.ts';
export { IsolatedTools } from './isolate/isolated-tools.ts';
