// Makes the pictures of the guide: a real stack, real feedback, a real browser; those of the console after a demo.
//
//   npm ci --prefix crates/cli/e2e                  once; needs Chromium as well (Debian: apt-get install chromium)
//   cargo build --release
//   node crates/guide/pictures/make.mjs [BINARY]    default: target/release/active-learning
//
// CHROMIUM names the browser. `loop.svg` is drawn by hand.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../../..');
const e2e = path.join(root, 'crates/cli/e2e');
const { chromium } = createRequire(path.join(e2e, 'package.json'))('playwright-core');
const { startStack, until } = await import(path.join(e2e, 'stack.mjs'));

const MAX_BYTES = 200_000;
const BROWSER = {
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--no-proxy-server'],
};
const LABELS = ['Billing', 'Login', 'Shipping'];
const ITEMS = [
  ['Where is the invoice for March? I need it for the tax office.', 'Billing', 0.47],
  ['The page says that my parcel was delivered, but nothing came.', 'Login', 0.38],
  ['I cannot pay because the code for signing in never arrives.', 'Billing', 0.41],
  ['Can I change the address after the order was sent?', 'Shipping', 0.44],
];
// After the demo: the first is the task that is shown.
const NEWS = [
  ['Shares of the football club fell after the team lost the cup final to a side from the second division.', 'Sports', 0.31],
  ['The minister opened a velodrome that a bank had paid for.', 'World', 0.36],
  ['A robot learned to play the violin from old recordings.', 'SciTech', 0.42],
  ['Farmers ask for help after the third dry summer.', 'Business', 0.44],
];

async function main() {
  const binary = path.resolve(process.argv[2] ?? path.join(root, 'target/release/active-learning'));
  const folder = await mkdtemp(path.join(os.tmpdir(), 'pictures-'));
  const browser = await chromium.launch(BROWSER);
  let stack;
  try {
    const parameters = { FeedbackBufferSeconds: 5, ComprehendClassificationCategories: LABELS.join(',') };
    stack = await startStack(binary, path.join(folder, 'state'), parameters);
    await picturesOfThePortal(browser, stack);
    await stack.stop();
    const demo = path.join(folder, 'demo');
    // The first model serves on, so that there is something to show of it.
    const words = ['demo', '--port', '0', '--state-dir', demo, '--param', 'MinMacroF1Gain=1', '--param', 'AuditSampleRate=0.3'];
    await promisify(execFile)(binary, words, { maxBuffer: 1e8 });
    stack = await startStack(binary, demo, { FeedbackBufferSeconds: 1, ItemsPerTask: 1, TextEncoder: 'none' });
    await picturesAfterADemo(browser, stack);
  } finally {
    await browser.close();
    await stack?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function picturesOfThePortal(browser, stack) {
  for (const [sentence, prediction, confidence] of ITEMS) {
    await stack.feedback({ classifier: 'support', sentence, prediction, confidence });
  }
  const page = await browser.newPage({ viewport: { width: 960, height: 760 }, colorScheme: 'light' });
  await page.goto(stack.signInUrl);
  await press(page, '#sign-in', /\/queue$/);
  await until('a task in the queue', async () => {
    await page.reload();
    return page.locator('#start-reviewing').count();
  });
  await press(page, '#start-reviewing', /\/task\?loop=/);
  await answer(page, ['Enter', '3']);
  await save(page, 'portal.png');
}

async function picturesAfterADemo(browser, stack) {
  for (const [sentence, prediction, confidence] of NEWS) {
    await stack.feedback({ sentence, prediction, confidence });
  }
  const page = await browser.newPage({ viewport: { width: 960, height: 620 }, colorScheme: 'light' });
  await page.goto(await stack.signInLink('ada', 'admin'));
  await press(page, '#sign-in', /\/queue$/);
  await until('the tasks in the queue', async () => {
    await page.reload();
    return Number(await page.locator('#queue').getAttribute('data-waiting').catch(() => 0)) >= NEWS.length;
  });
  await press(page, '#start-reviewing', /\/task\?loop=/);
  await page.waitForSelector('#review-choices button');
  await save(page, 'task.png');
  const shown = [['overview', 'overview.png', 1_260], ['quality', 'quality.png', 1_160], ['model', 'model.png', 1_400]];
  for (const [address, name, height] of shown) {
    await page.setViewportSize({ width: 960, height });
    await page.goto(stack.portalUrl + address);
    await save(page, name);
  }
}

/** Answers the items in their order, by keyboard; the page moves on by itself. */
async function answer(page, keys) {
  await page.locator('.review-item').first().focus();
  for (const [index, key] of keys.entries()) {
    await page.keyboard.press(key);
    await page.waitForFunction((answered) => document.querySelectorAll('.review-item.answered').length === answered, index + 1);
  }
  await page.evaluate(() => window.scrollTo(0, 0));
}

async function press(page, selector, url) {
  await page.locator(selector).focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(url);
}

/** Saves a picture; one that is too large for a repository is an error. */
async function save(page, name) {
  const file = path.join(here, name);
  await page.screenshot({ path: file });
  const { size } = await stat(file);
  if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes, more than ${MAX_BYTES}`);
  console.log(`${name}  ${size} bytes`);
}

await main();
