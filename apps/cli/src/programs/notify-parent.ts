/** Tells the parent process that this program is ready. Does nothing where the parent has exited. */
export function notifyParent(hello: { url: string; serverPid?: number | undefined }): void {
  if (process.connected) process.send?.({ type: 'ready', ...hello });
}

/** Calls `then` once the parent has exited, also where it exited before this call. */
export function onParentGone(then: () => void): void {
  if (process.connected) process.once('disconnect', then);
  else then();
}
