/** Tells the parent that this program is ready; to a parent that is gone there is nothing to tell. */
export function tellParent(hello: { url: string; serverPid?: number | undefined }): void {
  if (process.connected) process.send?.({ type: 'ready', ...hello });
}

/** Calls `then` once the parent is gone, also when it went before this was asked. */
export function onParentGone(then: () => void): void {
  if (process.connected) process.once('disconnect', then);
  else then();
}
