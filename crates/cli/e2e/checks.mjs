// What the scripts share: a browser and one stack after another, a count of what holds, a page in every look.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { BROWSER, startStack, until } from './stack.mjs';

const MEDIA = [
  { colorScheme: 'light', forcedColors: 'none' },
  { colorScheme: 'dark', forcedColors: 'none' },
  { colorScheme: 'light', forcedColors: 'active' },
  { colorScheme: 'dark', forcedColors: 'active' },
];
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let passed = 0;
// Pages on which something ran that was written to be shown: it sets `window.hacked`.
const hacked = [];

/** Says and counts something that holds. */
export function ok(what) {
  passed += 1;
  console.log(`ok    ${what}`);
}

/**
 * Runs a script that is called as `node <script> BINARY STATE_DIR` and says how it went.
 *
 * `work` gets the browser and `start(parameters, suffix)`, which ends the stack before and starts another one,
 * in the state folder with the suffix.
 */
export async function main(work) {
  const [binary, stateDir] = process.argv.slice(2);
  const browser = await chromium.launch(BROWSER);
  const newContext = browser.newContext.bind(browser);
  browser.newContext = async (options) => watched(await newContext(options));
  let stack = null;
  const start = async (parameters, suffix = '') => {
    await stack?.stop();
    stack = null;
    stack = await startStack(binary, `${stateDir}${suffix}`, parameters);
    return stack;
  };
  try {
    await watchSees(browser);
    await work(browser, start);
    assertNothingRan();
    console.log(`${passed} passed, 0 failed`);
  } catch (error) {
    console.error(`FAIL  ${error.stack}`);
    process.exitCode = 1;
  } finally {
    await browser.close();
    await stack?.stop();
  }
}

const assertNothingRan = () => assert.deepEqual(hacked, [], 'pages on which something ran that was written to be shown');

/** Nothing that was written to be shown has run on any page up to now, whichever the browser shows. */
export async function nothingRan(page) {
  await page.evaluate(() => null);
  assertNothingRan();
}

/** Notes from now on each page of a browser on which something hostile runs: `window` is new with each page. */
async function watched(context) {
  await context.exposeFunction('tellHacked', (where) => { hacked.push(where); });
  await context.addInitScript(() => {
    Object.defineProperty(window, 'hacked', { set: (value) => { window.tellHacked(`${window.location.href}: ${value}`); } });
  });
  return context;
}

/** What is to be seen is seen: else the list would be empty for another reason. */
async function watchSees(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto('data:text/html,<img src=x onerror="window.hacked=1">');
  await until('the page that runs something', async () => hacked.length);
  hacked.length = 0;
  await context.close();
}

/** A browser of its own for one person, with all that goes wrong in it. */
export async function person(browser, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('requestfailed', (request) => problems.push(`${request.url().split('?')[0]}: ${request.failure()?.errorText}`));
  return { context, page, problems };
}

/** axe finds no violation in light, dark and forced colours; takes a picture of the first when asked to. */
export async function isAccessible(page, name) {
  for (const media of MEDIA) {
    await page.emulateMedia(media);
    await page.evaluate(axeSource);
    const violations = await page.evaluate(async () => {
      const found = await window.axe.run();
      const shown = ({ html, any }) => `${html} (${any.map(({ message }) => message).join('; ')})`;
      return found.violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(shown).join(' | ')}`);
    });
    assert.deepEqual(violations, [], `${name} ${JSON.stringify(media)}`);
    if (media === MEDIA[0]) await picture(page, name);
  }
  await page.emulateMedia(MEDIA[0]);
  ok(`axe finds nothing on ${name}, light, dark and in forced colours`);
}

/** Takes a picture of the whole page when SCREENSHOTS names a folder. */
export async function picture(page, name) {
  if (!process.env.SCREENSHOTS) return;
  await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** Nothing may be wider than the window. */
export async function fits(page, name) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(overflow <= 0, `${name} is ${overflow} pixels too wide`);
}
