import { existsSync } from 'node:fs';
import { test } from '@jest/globals';
import type { Browser } from 'playwright-core';

/** Where systems have Chromium; `CHROMIUM` names another place. */
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const path = [process.env['CHROMIUM'], ...PLACES].find((place) => place !== undefined && existsSync(place));

/** A test in a browser. Skipped where there is none: `apt-get install chromium` brings one. */
export const testInBrowser = path === undefined ? test.skip : test;

/** Chromium without a window, which speaks to this machine alone. */
export async function openBrowser(): Promise<Browser> {
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath: path ?? 'chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
