// A reviewer who has a keyboard and nothing else: signs in, on keyboards of other countries, with keys of a single letter
// off, with a reply that is lost, over a reload; labels in sight wherever the page is scrolled to; a lease that is kept.
//
// Usage: node keyboard.mjs BINARY STATE_DIR. CHROMIUM names the browser.

import assert from 'node:assert/strict';

import { fits, main, nothingRan, ok, person } from './checks.mjs';
import {
  answerWith, answersByText, canBeRead, keysBelow, nextText, openTask, saved, shownText, signIn, typeForeign,
} from './reviewing.mjs';
import { until } from './stack.mjs';

const REVIEWER = 'kim';
const GOAL = 'The striker scored twice as the team won the football cup final';
const ARABIC = 'فاز الفريق بالمباراة النهائية مساء أمس';
const TEXTS = [GOAL, ARABIC, ...Array.from({ length: 16 }, (_, number) => `Short news of the day, number ${number + 1}`)];
const LEASE_SECONDS = 30;

async function work(browser, start) {
  const run = async (name, parameters, review) => {
    const limits = { UsagePlanRateLimit: 1000, UsagePlanBurstLimit: 1000 };
    await review(browser, await start({ FeedbackBufferSeconds: 1, ...limits, ...parameters }, `-${name}`));
  };
  await run('keys', { ItemsPerTask: 1 }, reviewByKeysAlone);
  const labels = Array.from({ length: 40 }, (_, number) => `Subject of a longer name ${number + 1}`);
  await run('bar', { ItemsPerTask: 10, ComprehendClassificationCategories: labels.join(',') }, labelsStayInSight);
  await run('lease', { ItemsPerTask: 1, ReviewSeveralLabels: 'true', TaskTimeLimitSeconds: LEASE_SECONDS }, leaseIsKept);
}

// ---- Keys alone --------------------------------------------------------------------------------------------------

async function reviewByKeysAlone(browser, stack) {
  for (const [number, sentence] of TEXTS.entries()) {
    await stack.feedback({ sentence, prediction: 'Sports', confidence: 0.1 + number / 100 });
  }
  await until(`${TEXTS.length} open tasks`, async () => (
    (await keysBelow(stack, 'human-review/queue/')).length === TEXTS.length));
  const { page, context } = await person(browser, { viewport: { width: 1280, height: 900 } });
  const clicks = await clicksOf(context);
  await page.goto(await stack.signInLink(REVIEWER));
  await pressOn(page, '#sign-in');
  await page.waitForURL(/\/queue$/);
  await pressOn(page, '#start-reviewing');
  await page.waitForSelector('#review-choices button');
  ok('a reviewer signs in and starts by keyboard alone');

  const expected = new Map();
  const answer = async (keys, value) => {
    const text = await shownText(page);
    expected.set(text, value);
    await answerWith(page, text, keys);
    return text;
  };
  const foreignKey = async (key, code, value, shiftKey = false) => {
    const text = await shownText(page);
    expected.set(text, value);
    await canBeRead(page);
    await typeForeign(page, { key, code, shiftKey });
    await nextText(page, text);
  };

  await wordsAreMarked(page);
  await helpNamesEveryKey(page);
  assert.equal(await page.title(), `Task · 1 of ${TEXTS.length}`);
  await foreignKey('é', 'Digit2', 'Sports');
  await arabicRunsFromTheRight(page);
  assert.equal(await page.title(), `Task · 2 of ${TEXTS.length}`);
  await foreignKey('1', 'Numpad1', 'World');
  await findByShiftAndSeven(page, expected);
  ok('digits of a French keyboard and of a number pad choose, and the / of a German one finds');

  await withLettersOff(page, expected);
  await buttonsShowTheFocus(page);
  await replyIsLost(page, answer);
  await draftsAreGone(page, answer);
  await undoOverAReload(page, answer, expected);
  await keysWhileNothingIsReady(page, expected);
  while (!await page.locator('#empty-queue').count()) await answer(['2'], 'Sports');
  ok(`${TEXTS.length} texts are answered without a mouse`);

  assert.deepEqual(clicks, [], 'clicks of a mouse');
  await nothingRan(page);
  await everyAnswerOnce(stack, expected);
  await context.close();
}

/** Notes the clicks and taps of a browser from now on. */
async function clicksOf(context) {
  const clicks = [];
  await context.exposeFunction('tellClick', (where) => { clicks.push(where); });
  await context.addInitScript(() => {
    window.addEventListener('pointerdown', () => { window.tellClick(window.location.pathname); }, true);
  });
  return clicks;
}

/** Goes to an element by Tab. */
async function tabTo(page, selector) {
  const isThere = () => page.evaluate((wanted) => Boolean(document.activeElement?.matches(wanted)), selector);
  for (let times = 0; times < 60 && !await isThere(); times += 1) await page.keyboard.press('Tab');
  assert.ok(await isThere(), `Tab never comes to ${selector}`);
}

async function pressOn(page, selector) {
  await page.waitForSelector(selector);
  await tabTo(page, selector);
  await page.keyboard.press('Enter');
}

async function wordsAreMarked(page) {
  assert.equal(await shownText(page), GOAL);
  const marked = await page.locator('.review-text mark').allTextContents();
  assert.ok(marked.length > 0, 'the words that drove the prediction are marked in the text');
  const named = await page.locator('.review-words q').allTextContents();
  for (const word of marked) assert.ok(named.some((one) => one.toLowerCase() === word.toLowerCase()), word);
  ok('the words that drove the prediction are marked in the text, and named');
}

async function arabicRunsFromTheRight(page) {
  assert.equal(await shownText(page), ARABIC);
  const text = page.locator('.review-text');
  assert.equal(await text.evaluate((element) => getComputedStyle(element).direction), 'rtl');
  assert.equal(await page.locator('.review-facts').evaluate((element) => getComputedStyle(element).direction), 'ltr');
  ok('an Arabic text runs from the right, and what is said of it does not');
}

/** Each key that a button names is in the help. */
async function helpNamesEveryKey(page) {
  const keys = await page.locator('[aria-keyshortcuts]').evaluateAll((all) => all.map((one) => one.getAttribute('aria-keyshortcuts')));
  await page.keyboard.press('?');
  const help = await page.locator('#help kbd').allTextContents();
  await page.keyboard.press('Escape');
  assert.ok(keys.length > 4, 'buttons name their keys');
  for (const key of keys) {
    const isRange = /^[1-9]$/.test(key) && help.includes('1') && help.includes('9');
    assert.ok(isRange || help.includes(key === 'Plus' ? '+' : key), `the help names ${key}`);
  }
  for (const key of ['u', 's', 'g', '?', 'Enter', 'Esc']) assert.ok(help.includes(key), `the help names ${key}`);
  ok('the help names every key that a button has');
}

async function findByShiftAndSeven(page, expected) {
  const text = await shownText(page);
  await canBeRead(page);
  await typeForeign(page, { key: '/', code: 'Digit7', shiftKey: true });
  await page.waitForSelector('#review-query:focus');
  await page.keyboard.type('bus');
  await page.keyboard.press('Enter');
  await nextText(page, text);
  expected.set(text, 'Business');
}

async function withLettersOff(page, expected) {
  const letters = async () => {
    await tabTo(page, '#letters');
    await page.keyboard.press('Space');
    await page.keyboard.press('Escape');
  };
  const text = await shownText(page);
  await canBeRead(page);
  await page.keyboard.press('?');
  await letters();
  for (const key of ['j', 'k', 'n', '2', '0', 'f', 'c', 's', '?']) await page.keyboard.press(key);
  assert.equal(await shownText(page), text, 'no key of a single letter answers');
  assert.equal(await page.locator('#help').isVisible(), false);
  assert.equal(await page.locator('.review-chosen').textContent(), '');
  expected.set(text, 'Business');
  await pressOn(page, '#review-choices button[data-choice=Business]');
  await nextText(page, text);
  await pressOn(page, '#keys');
  await letters();
  const other = await shownText(page);
  expected.set(other, 'World');
  await page.locator('.review-item').focus();
  await answerWith(page, other, ['1']);
  ok('with keys of a single letter off the buttons answer by Tab and Enter, and the keys come back');
}

async function buttonsShowTheFocus(page) {
  await page.emulateMedia({ forcedColors: 'active' });
  for (const selector of ['#review-choices button[data-choice=World]', '#undo', '#keys', '#skip-reason']) {
    await tabTo(page, selector);
    const outline = await page.locator(selector).evaluate((element) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return { outlineStyle, width: parseFloat(outlineWidth) };
    });
    assert.equal(outline.outlineStyle, 'solid', selector);
    assert.ok(outline.width >= 2, `${selector}: ${outline.width}`);
  }
  await page.emulateMedia({ forcedColors: 'none' });
  await page.locator('.review-item').focus();
  ok('in forced colours buttons and fields show the focus');
}

/** The server stores an answer, and its reply never comes. */
async function replyIsLost(page, answer) {
  let lost = 0;
  await page.route('**/submit', async (route) => {
    await route.fetch();
    lost += 1;
    await route.abort('connectionreset');
  }, { times: 1 });
  await answer(['3'], 'Business');
  await saved(page);
  assert.equal(lost, 1);
  assert.equal(await page.locator('#refused-answers').textContent(), '');
  ok('an answer whose reply is lost is sent again, and nobody is told that it was refused');
}

const keptNames = (page) => page.evaluate(() => Object.keys(localStorage).filter((name) => /:(draft|outbox):/.test(name)));

async function draftsAreGone(page, answer) {
  await canBeRead(page);
  for (const key of ['c', ...'late', 'Enter']) await page.keyboard.press(key);
  const before = await keptNames(page);
  assert.equal(before.filter((name) => name.includes(':draft:')).length, 1, 'what is typed is kept');
  const id = await page.locator('input[name="portal:loop-id"]').inputValue();
  assert.ok(before[0].endsWith(id), 'by the loop that it is of');
  await answer(['4'], { answer: 'SciTech', comment: 'late' });
  await saved(page);
  assert.deepEqual(await keptNames(page), [], 'what is stored is kept no longer');
  ok('a draft is kept by its loop, and is gone once its answer is stored');
}

/** Answers that another page gave are undone too: the browser remembers the last ten. */
async function undoOverAReload(page, answer, expected) {
  const older = await answer(['1'], 'World');
  const newest = await answer(['1'], 'World');
  await saved(page);
  await page.reload();
  await page.waitForSelector('#review-choices button');
  const shown = await shownText(page);
  for (const text of [newest, older]) {
    await page.keyboard.press('u');
    await page.waitForFunction((wanted) => document.querySelector('.review-text')?.textContent === wanted, text);
    await page.waitForSelector('#review-choices button');
  }
  assert.match(await page.locator('.review-chosen').textContent(), /World/);
  await canBeRead(page);
  await page.keyboard.press('3');
  expected.set(older, { first: 'World', answer: 'Business' });
  assert.equal(await nextText(page, older), shown);
  ok('answers from before a reload are undone by u, one after another');
}

/** A key that is pressed while the next text is on its way is not taken, and the page says so. */
async function keysWhileNothingIsReady(page, expected) {
  await page.reload();
  await page.waitForSelector('#review-choices button');
  await page.route(/\/(submit|next)(\?|$)/, async (route) => {
    await new Promise((resolve) => { setTimeout(resolve, 1_500); });
    await route.continue();
  });
  const answered = [];
  for (let times = 0; times < 3 && await page.locator('.review-text').count(); times += 1) {
    const text = await shownText(page);
    answered.push(text);
    expected.set(text, 'World');
    await canBeRead(page);
    await page.keyboard.press('1');
    await page.waitForFunction((before) => document.querySelector('.review-text')?.textContent !== before, text);
  }
  await page.waitForFunction(() => /Fetching/.test(document.getElementById('undoing').textContent));
  await page.keyboard.press('3');
  assert.match(await page.locator('#undoing').textContent(), /Not taken: .*not here yet/);
  await page.waitForSelector('.review-text');
  await page.unrouteAll({ behavior: 'wait' });
  assert.equal(await page.locator('.review-chosen').textContent(), '');
  assert.ok(!answered.includes(await shownText(page)));
  ok('a key that comes before the next text answers nothing, and the page says so');
}

/** Each text has one output, and a correction where it was undone. */
async function everyAnswerOnce(stack, expected) {
  const stored = { outputs: new Map(), corrections: new Map() };
  for (const key of await keysBelow(stack, stack.outputs.HumanReviewWorkflowArnInUse.split('/').pop())) {
    const output = await stack.reviewObject(key);
    const [item] = output.inputContent.comprehendPredictions;
    assert.equal(output.humanAnswers.length, 1, key);
    const to = key.includes('/corrections/') ? stored.corrections : stored.outputs;
    assert.ok(!to.has(item.utterance), `twice: ${item.utterance}`);
    const content = output.humanAnswers[0].answerContent;
    to.set(item.utterance, { answer: content[item.id], comment: content[`comment:${item.id}`] });
  }
  assert.deepEqual([...stored.outputs.keys()].sort(), [...TEXTS].sort());
  for (const [text, wanted] of expected) {
    const { first, answer, comment } = typeof wanted === 'object' ? wanted : { answer: wanted };
    assert.deepEqual(stored.outputs.get(text), { answer: first ?? answer, comment }, text);
    assert.equal(stored.corrections.get(text)?.answer, first && answer, text);
  }
  ok('every answer arrived exactly once');
}

// ---- Labels in sight ---------------------------------------------------------------------------------------------

async function labelsStayInSight(browser, stack) {
  for (let number = 0; number < 10; number += 1) {
    const sentence = `${'A long story of which one has to read a lot. '.repeat(6)}Number ${number + 1}`;
    await stack.feedback({ sentence, prediction: 'Subject of a longer name 31', confidence: 0.1 + number / 100 });
  }
  const { page, context } = await signIn(browser, stack, REVIEWER);
  await openTask(page);
  for (const [width, height] of [[1280, 800], [390, 844]]) {
    await page.setViewportSize({ width, height });
    await fits(page, `40 labels at ${width} pixels`);
    const { places, wrong } = await page.evaluate(barAtEveryPlace);
    assert.ok(places > 2, `the page of several texts is longer than the window: ${places}`);
    assert.deepEqual(wrong, [], `${width} pixels`);
    await textsInFocusAreSeen(page);
  }
  ok('with 40 labels and several texts the bar is in sight at every place, on a phone too, and hides no text in focus');
  await context.close();
}

/** Scrolls the page from its top to its end; returns at how many places, and those where the labels are out of sight. */
function barAtEveryPlace() {
  const wrong = [];
  let places = 0;
  const end = document.documentElement.scrollHeight - window.innerHeight;
  for (let top = 0; top < end; top += 150, places += 1) {
    window.scrollTo(0, top);
    const box = document.getElementById('review-choices').getBoundingClientRect();
    if (box.top < 0 || box.top > window.innerHeight - 40) wrong.push(`${top}: ${box.top} to ${box.bottom}`);
  }
  window.scrollTo(0, 0);
  return { places, wrong };
}

/** Each text that gets the focus by a key is seen at its beginning, above the bar of labels. */
async function textsInFocusAreSeen(page) {
  const places = () => page.evaluate(() => {
    const items = [...document.querySelectorAll('.review-item')];
    const current = document.querySelector('.review-item.current');
    return {
      item: items.indexOf(current),
      top: current.querySelector('.review-text').getBoundingClientRect().top,
      bar: document.getElementById('review-foot').getBoundingClientRect().top,
    };
  });
  const items = await page.locator('.review-item').count();
  await page.locator('.review-item').first().focus();
  for (let item = 0; item < items; item += 1) {
    // A long text is scrolled to its end first.
    for (let keys = 0; keys < 9 && (await places()).item < item; keys += 1) await page.keyboard.press('ArrowDown');
    const { item: current, top, bar } = await places();
    assert.equal(current, item);
    assert.ok(top >= 0 && top < bar - 100, `text ${item + 1} begins at ${top}, the bar at ${bar}`);
  }
}

// ---- A lease that is kept ----------------------------------------------------------------------------------------

async function leaseIsKept(browser, stack) {
  const sentence = 'Shares of a football club';
  await stack.feedback({ sentence, prediction: 'Sports', confidence: 0.2 });
  const { page, context } = await signIn(browser, stack, 'slow');
  await openTask(page);
  const other = await signIn(browser, stack, 'quick');
  const isMineStill = async (why) => {
    await other.page.goto(`${stack.portalUrl}next`);
    assert.match(other.page.url(), /\/queue$/, why);
  };

  // An even number of keys: the choice is as it was.
  for (let seconds = 0; seconds < 1.5 * LEASE_SECONDS; seconds += 3) {
    await page.keyboard.press('1');
    await page.waitForTimeout(3_000);
    assert.equal(await page.locator('#lease-warning').textContent(), '', 'who is at work is warned of nothing');
  }
  await isMineStill('who presses keys keeps the task beyond the time of a lease');
  ok('a lease is renewed while keys are pressed');

  await page.waitForSelector('#lease-warning button');
  const renewed = page.waitForResponse(/\/renew$/);
  await page.click('#lease-warning button');
  assert.equal((await renewed).status(), 200);
  await page.waitForFunction(() => document.getElementById('lease-warning').textContent === '');
  await page.waitForTimeout(1_000 * LEASE_SECONDS * 0.6);
  await isMineStill('a task that is kept is nobody else\'s');
  if (!await page.locator('#review-choices button[aria-pressed=true]').count()) await page.keyboard.press('1');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/queue$/);
  assert.deepEqual((await answersByText(stack)).get(sentence), [['World']]);
  await Promise.all([context.close(), other.context.close()]);
  ok('the warning before the end of a lease keeps the task when asked to');
}

await main(work);
