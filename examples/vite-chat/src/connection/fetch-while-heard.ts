/** Turnpike sends something at least every 15 seconds. */
const SILENT_MS = 40_000;
const LOOK_EVERY_MS = 5_000;
const NO_CONTENT = 204;

/**
 * `fetch` whose response ends with an error where nothing was heard of it for too long, or where the network came back:
 * after a laptop was closed, a connection may look open for ever. The reader then asks again.
 */
export const fetchWhileHeard: typeof fetch = async (input, init) => {
  const lost = new AbortController();
  let heardAt = Date.now();
  // The page takes a TypeError for a broken connection, and an abort for its own wish.
  const giveUp = (): void => lost.abort(new TypeError('network: the connection was given up'));
  const look = (): void => {
    if (Date.now() - heardAt > SILENT_MS) giveUp();
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  document.addEventListener('visibilitychange', look);
  window.addEventListener('online', giveUp);
  const end = (): void => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', look);
    window.removeEventListener('online', giveUp);
  };
  const failed = (error: unknown): unknown => {
    end();
    return lost.signal.aborted ? lost.signal.reason : error;
  };
  const signal = init?.signal == null ? lost.signal : AbortSignal.any([init.signal, lost.signal]);
  const response = await fetch(input, { ...init, signal }).catch((error: unknown) => {
    throw failed(error);
  });
  // Chromium gives a response without content a body, and refuses to make another such response.
  if (response.body === null || response.status === NO_CONTENT) {
    end();
    return response;
  }
  const reader = response.body.getReader();
  const heard = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        heardAt = Date.now();
        if (!done) return controller.enqueue(value);
        end();
        controller.close();
      } catch (error) {
        controller.error(failed(error));
      }
    },
    cancel(reason) {
      end();
      return reader.cancel(reason);
    },
  });
  return new Response(heard, { status: response.status, headers: response.headers });
};
