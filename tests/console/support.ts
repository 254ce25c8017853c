import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';

const AXE = fileURLToPath(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url));

/** Pages of one browser, which is started for the first. Each has cookies of its own. */
export class ConsolePages {
  readonly #limitMs: number;
  #browser: Browser | undefined;

  /** `limitMs`: how long an act of a page may take. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** A page of the console, signed in with this key. */
  async open(url: string, key: string, path = ''): Promise<Page> {
    this.#browser ??= await openBrowser();
    // A colour on its way to another one has the contrast of neither.
    const context = await this.#browser.newContext({ reducedMotion: 'reduce' });
    context.setDefaultTimeout(this.#limitMs);
    const page = await context.newPage();
    await signIn(page, url, key, path);
    return page;
  }

  async close(): Promise<void> {
    await this.#browser?.close();
  }
}

/** Opens the console with a link that signs in, as `npm start` prints it. */
export async function signIn(page: Page, url: string, key: string, path = ''): Promise<void> {
  await page.goto(`${url}/console${path}#key=${key}`);
  await page.getByRole('navigation').waitFor();
}

/** Rules of accessibility that the page breaks, with where. */
export async function findViolations(page: Page): Promise<string[]> {
  // In a world of its own, which the page's policy does not reach.
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId: contextId } = await session.send('Page.createIsolatedWorld', {
    frameId: frameTree.frame.id,
  });
  const evaluate = async (expression: string): Promise<unknown> => {
    const { result } = await session.send('Runtime.evaluate', {
      expression,
      contextId,
      awaitPromise: true,
      returnByValue: true,
    });
    return result.value;
  };
  await evaluate(await readFile(AXE, 'utf8'));
  const found = await evaluate(
    'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes[0].target.join(" ")}`))',
  );
  await session.detach();
  if (!Array.isArray(found)) throw new Error('axe-core did not run.');
  return found.map(String);
}
