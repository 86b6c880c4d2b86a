// Labels, texts and keyboards that strain the page: other scripts, long labels, labels that differ in little, words that
// are written with an input method.
//
// Usage: node labels.mjs BINARY STATE_DIR. CHROMIUM names the browser.

import assert from 'node:assert/strict';

import { fits, isAccessible, main, nothingRan, ok } from './checks.mjs';
import { answersByText, canBeRead, nextText, openTask, shownText, signIn, typeForeign } from './reviewing.mjs';
import { until } from './stack.mjs';

const LONG = 'é'.repeat(128); // 256 bytes
const ARABIC = 'رياضة';
const LABELS = ['World', 'flag', ARABIC, 'Résumé', 'Resume', '🏳️‍🌈', LONG, '<img src=x onerror=window.hacked=7>', 'Weather',
  'Economy', 'Ελλάδα'];
// Words that drove the prediction: signs of an expression stand for themselves.
const WORDS = ['e-mail', 'C++', 'a/b'];
const BEGINNING = `An ${WORDS[0]} on ${WORDS[1]} and ${WORDS[2]}, `;
// Text, and what is done with it: the answer follows.
const TEXTS = [
  [`${BEGINNING}number 1`, marksAndFlag, 'flag'],
  [`${BEGINNING}${'x'.repeat(9_000)}`, longTextFits, '__none__'],
  [`${BEGINNING}number 3`, keysOfOtherScripts, LONG],
  [`${BEGINNING}number 4`, wordsOfAnInputMethod, 'Resume'],
  [`${BEGINNING}number 5`, labelsOfOtherScripts, ARABIC],
];

async function work(browser, start) {
  const limits = { UsagePlanRateLimit: 1000, UsagePlanBurstLimit: 1000 };
  const stack = await start({
    FeedbackBufferSeconds: 1, ItemsPerTask: 1, ComprehendClassificationCategories: LABELS.join(','), ...limits,
  });
  for (const [number, [sentence]] of TEXTS.entries()) {
    await stack.feedback({ sentence, prediction: ARABIC, confidence: 0.1 + number / 100 });
  }
  const { page, context, problems } = await signIn(browser, stack, 'kim');
  await withWords(page);
  await openTask(page);
  for (let left = TEXTS.length; left; left -= 1) {
    // The next one may still be on its way to the queue.
    if (!await page.locator('#review-choices button').count()) await openTask(page);
    const text = await shownText(page);
    const [, does] = TEXTS.find(([sentence]) => sentence === text);
    await canBeRead(page);
    await does(page);
    await nextText(page, text);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  for (const address of ['history', 'queue', 'guide']) {
    await page.goto(stack.portalUrl + address);
    await fits(page, `${address} on a phone`);
  }
  assert.deepEqual(problems.filter((problem) => !/ERR_ABORTED/.test(problem)), []);
  await context.close();

  const answers = await until('all answers', async () => {
    const given = await answersByText(stack);
    return given.size === TEXTS.length && given;
  });
  for (const [sentence, , answer] of TEXTS) assert.deepEqual(answers.get(sentence), [answer], sentence.slice(0, 60));
  ok('each of these labels arrives as it is written');
  await consoleFits(browser, stack);
}

/** Has the classifier say which words drove each prediction. */
async function withWords(page) {
  const words = JSON.stringify(WORDS);
  const escaped = words.replaceAll('"', '&quot;');
  await page.route(/\/(task|next|submit|release)(\?|$)/, async (route) => {
    const response = await route.fetch();
    const isJson = response.headers()['content-type']?.includes('json');
    const quote = isJson ? '\\"' : '"';
    const body = (await response.text()).replace('data-item=', `data-words=${quote}${escaped}${quote} data-item=`);
    await route.fulfill({ response, body });
  });
}

const chosen = (page) => page.locator('.review-chosen').textContent();

/** Words with signs in them are marked, and a label named as a button is that label. */
async function marksAndFlag(page) {
  assert.deepEqual(await page.locator('.review-text mark').allTextContents(), WORDS);
  const isPressed = (name) => page.locator('#review-choices button', { hasText: name }).first().getAttribute('aria-pressed');
  await page.keyboard.press('f');
  assert.equal(await chosen(page), '⚑ flagged');
  assert.equal(await page.locator('[data-flag]').getAttribute('aria-pressed'), 'true');
  assert.equal(await isPressed('flag'), 'false', 'the label of this name is not chosen');
  await page.keyboard.press('f');
  ok('words with hyphens and signs are marked, and a label called flag is not the flag');
  await page.keyboard.press('2');
}

async function longTextFits(page) {
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 844 });
    await fits(page, `a text of 9 kB without a space, and a label of 256 bytes, at ${width} pixels`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await isAccessible(page, 'task-strained');
  await page.locator('.review-item').focus();
  // Caps Lock.
  await typeForeign(page, { key: 'N', code: 'KeyN' });
  ok('a text and a label without a space fit on the page, and Caps Lock takes no key away');
}

/** Where a layout writes no Latin letters, the keys of the letters work; a number pad that moves chooses nothing. */
async function keysOfOtherScripts(page) {
  await typeForeign(page, { key: 'End', code: 'Numpad1' });
  await typeForeign(page, { key: 'я', code: 'KeyZ' });
  assert.equal(await chosen(page), '');
  await typeForeign(page, { key: 'с', code: 'KeyC' });
  await page.waitForSelector('#review-remark:focus');
  await page.keyboard.press('Escape');
  await typeForeign(page, { key: 'ظ', code: 'Slash' });
  await page.waitForSelector('#review-query:focus');
  await page.keyboard.press('Escape');
  await typeForeign(page, { key: '؟', code: 'Slash', shiftKey: true });
  await page.waitForSelector('#help[open]');
  await page.keyboard.press('Escape');
  ok('keys of a Russian and of an Arabic keyboard comment, find and help');
  await typeForeign(page, { key: '7', code: 'Numpad7' });
}

/** Enter takes the word that is being written: it picks no label, and sends nothing. */
async function wordsOfAnInputMethod(page) {
  await page.keyboard.press('/');
  await page.waitForSelector('#review-query:focus');
  await page.keyboard.type('resume');
  assert.deepEqual(await page.locator('#review-found li').allTextContents(), ['Resume', 'Résumé']);
  for (const word of [{ key: 'Enter', isComposing: true }, { key: 'Process', keyCode: 229 }, { key: 'Escape', isComposing: true }]) {
    await typeForeign(page, { code: 'Enter', ...word });
    assert.equal(await page.locator('#review-query').isVisible(), true);
    assert.equal(await chosen(page), '');
  }
  ok('Enter of an input method takes its word and picks no label; a label is found without the signs on its letters');
  await page.keyboard.press('Enter');
}

async function labelsOfOtherScripts(page) {
  const isolated = await page.locator('.review-facts strong').first().evaluate((element) => getComputedStyle(element).unicodeBidi);
  assert.equal(isolated, 'plaintext', 'the predicted label turns round nothing beside it');
  const shown = await page.locator('#review-choices bdi').allTextContents();
  assert.deepEqual(shown.slice(0, LABELS.length), LABELS);
  await nothingRan(page);
  ok('labels in Arabic and Greek, of emoji and of markup are shown as they are');
  await page.keyboard.press('3');
}

/** The console lists these labels on a phone too, and nothing in them runs. */
async function consoleFits(browser, stack) {
  const { page, context, problems } = await signIn(browser, stack, `Ada ${'w'.repeat(60)}`, 'admin');
  await page.setViewportSize({ width: 390, height: 844 });
  for (const address of ['overview', 'tasks', 'quality', 'audits', 'guideline', 'reviewers', 'model', 'versions', 'data', 'operations']) {
    await page.goto(stack.portalUrl + address);
    await fits(page, `${address} on a phone`);
    await nothingRan(page);
  }
  assert.deepEqual(problems, []);
  await context.close();
  ok('each page of the console fits on a phone with a label, of 256 bytes, and a name without a space');
}

await main(work);
