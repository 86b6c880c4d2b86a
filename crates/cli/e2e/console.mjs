// An operator at work: signs in as an admin in headless Chromium without JavaScript, looks at every page of the
// console, and does what can be done there; then axe looks at every page, in light, dark and forced colours.
//
// Usage: node console.mjs BINARY STATE_DIR. SCREENSHOTS=<folder> takes pictures of every page; CHROMIUM names the browser.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { BROWSER, startStack, until } from './stack.mjs';

const PAGES = ['overview', 'tasks', 'quality', 'reviewers', 'model', 'versions', 'data', 'operations'];
const MEDIA = [
  { colorScheme: 'light', forcedColors: 'none' },
  { colorScheme: 'dark', forcedColors: 'none' },
  { colorScheme: 'light', forcedColors: 'active' },
  { colorScheme: 'dark', forcedColors: 'active' },
];
const HOSTILE = '<script>window.hacked=1</script><img src=x onerror="window.hacked=2">';
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let passed = 0;
function ok(what) {
  passed += 1;
  console.log(`ok    ${what}`);
}

async function main() {
  const [binary, stateDir] = process.argv.slice(2);
  const browser = await chromium.launch(BROWSER);
  let stack;
  try {
    stack = await startStack(binary, stateDir, { FeedbackBufferSeconds: 1 });
    await work(browser, stack);
  } finally {
    await browser.close();
    await stack?.stop();
  }
  console.log(`${passed} passed, 0 failed`);
}

async function work(browser, stack) {
  await stack.feedback({ sentence: `${HOSTILE} shares fell`, prediction: 'World', confidence: 0.4 });
  const plain = await browser.newContext({ javaScriptEnabled: false });
  const page = await plain.newPage();
  await page.goto(stack.signInUrl);
  await page.click('#sign-in');
  await page.click('#console');
  assert.match(page.url(), /\/overview$/);
  ok('the link of the stack signs an admin in, without JavaScript');

  await everyPageIsThere(stack, page);
  await aTaskIsReleased(browser, stack, page);
  await somebodyIsInvitedAndPaused(browser, stack, page);
  await aTaskIsStopped(stack, page);
  await plain.close();
  await axeFindsNothing(browser, stack);
}

async function everyPageIsThere(stack, page) {
  for (const address of PAGES) {
    const response = await page.goto(stack.portalUrl + address);
    assert.equal(response.status(), 200, address);
    assert.equal(await page.locator('[aria-current=page]').count(), 1, address);
    const json = await page.request.get(`${stack.portalUrl}${address}.json`);
    assert.equal(json.status(), 200, `${address}.json`);
    assert.equal(typeof await json.json(), 'object');
  }
  ok('every page is there, also as JSON');
}

async function confirm(page, button) {
  await button.click();
  await page.click('.console-form button');
  assert.equal(await page.locator('#done').count(), 1, await page.content());
}

async function aTaskIsReleased(browser, stack, page) {
  const reviewer = await browser.newContext();
  const theirs = await reviewer.newPage();
  await theirs.goto(await stack.signInLink('ann'));
  await theirs.click('#sign-in');
  await until('a task', async () => {
    await theirs.goto(`${stack.portalUrl}queue`);
    return theirs.locator('#start-reviewing').count();
  });
  await theirs.click('#start-reviewing');
  await theirs.waitForURL(/task/);

  await page.goto(`${stack.portalUrl}tasks`);
  assert.match(await page.textContent('tbody'), /ann until/);
  await confirm(page, page.locator('form[action=release-task] button'));
  assert.match(await page.textContent('tbody'), /nobody/);
  const refused = await theirs.goto(`${stack.portalUrl}tasks`);
  assert.equal(refused.status(), 403);
  ok('a held task is released, and a reviewer gets 403');
  await reviewer.close();
}

async function somebodyIsInvitedAndPaused(browser, stack, page) {
  await page.goto(`${stack.portalUrl}reviewers`);
  await page.fill('form[action=invite] input[name=subject]', 'bea & co');
  await page.click('form[action=invite] button');
  await page.click('.console-form button');
  const link = await page.inputValue('.console-copy');
  const context = await browser.newContext();
  const theirs = await context.newPage();
  await theirs.goto(link);
  await theirs.click('#sign-in');
  assert.match(theirs.url(), /\/queue$/);

  await page.goto(`${stack.portalUrl}reviewers`);
  await confirm(page, page.locator('tr', { hasText: 'bea & co' }).locator('form[action=pause-reviewer] button'));
  assert.match(await page.textContent('tbody'), /paused/);
  await page.goto(`${stack.portalUrl}operations`);
  assert.match(await page.textContent('main'), /pause-reviewer/);
  ok('somebody is invited and paused, and the log says so');
  await context.close();
}

async function aTaskIsStopped(stack, page) {
  await page.goto(`${stack.portalUrl}tasks`);
  await confirm(page, page.locator('form[action=stop-task] button').first());
  assert.equal(await page.locator('form[action=stop-task]').count(), 0);
  ok('a task is stopped');
}

async function axeFindsNothing(browser, stack) {
  await stack.feedback({ sentence: `${HOSTILE} the cup final`, prediction: 'World', confidence: 0.4 });
  // Only so can axe be put into a page that lets no script in.
  const context = await browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  await page.goto(await stack.signInLink('ada', 'admin'));
  await page.click('#sign-in');
  await until('a task', async () => {
    await page.goto(`${stack.portalUrl}tasks`);
    return page.locator('form[action=stop-task]').count();
  });
  for (const address of PAGES) {
    await page.goto(stack.portalUrl + address);
    await isAccessible(page, address);
  }
  await page.goto(`${stack.portalUrl}tasks`);
  await page.click('form[action=stop-task] button');
  await isAccessible(page, 'confirmation');
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  ok(`axe finds nothing on ${PAGES.length} pages and a confirmation, light, dark and in forced colours`);
  await context.close();
}

async function isAccessible(page, name) {
  for (const media of MEDIA) {
    await page.emulateMedia(media);
    await page.evaluate(axeSource);
    const violations = await page.evaluate(async () => {
      const found = await window.axe.run();
      return found.violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(' | ')}`);
    });
    assert.deepEqual(violations, [], `${name} ${JSON.stringify(media)}`);
    if (process.env.SCREENSHOTS && media === MEDIA[0]) {
      await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `console-${name}.png`), fullPage: true });
    }
  }
}

await main();
