// A reviewer at work: signs in with a one-time link in headless Chromium, labels a task by keyboard alone, and
// the answer lies in the review bucket.
//
// Usage: node review.mjs BINARY STATE_DIR. SCREENSHOTS=<folder> takes pictures of every page; CHROMIUM names the browser.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { fits, isAccessible, main, nothingRan, ok, person } from './checks.mjs';
import { taskArrives } from './reviewing.mjs';
import { until } from './stack.mjs';

const LABELS = ['World', 'Sports', 'Business', 'SciTech'];
const NONE_FITS = '__none__';
const UNSURE = '__unsure__';
// Text, what the classifier said, and the keys that answer with the label beside them.
const ITEMS = [
  ['The parliament voted on the border treaty.', 'World', ['Enter'], 'World'],
  ['The goalkeeper saved a penalty.', 'World', ['2'], 'Sports'],
  ['<script>window.hacked=1</script><img src=x onerror="window.hacked=2"> shares fell', 'Business', ['Enter'], 'Business'],
  ['"Quoted" \'text\' & <b>tags</b> `ticks` {{ task.input.labels }} {% raw %}', 'SciTech', ['4'], 'SciTech'],
  ['🚀👩🏽‍🚀 reached orbit — naïve café', 'SciTech', ['Enter'], 'SciTech'],
  ['الفريق فاز بالمباراة النهائية', 'Sports', ['Enter'], 'Sports'],
  ['lorem ipsum dolor', undefined, ['Enter', 'n'], NONE_FITS], // nothing to approve
  ['Line one\nline two', 'World', ['3'], 'Business'],
  ['A very long word: ' + 'x'.repeat(300), 'World', ['9', '1'], 'World'], // there is no ninth label
  ['Central bank raises rates', 'Business', ['Enter'], 'Business'],
  ['New phone has two screens', 'SciTech', ['Enter'], 'SciTech'],
  ['The last text of the task', 'Sports', ['n'], NONE_FITS],
];

async function work(browser, start) {
  // One delivery of all texts makes one task.
  await reviewByKeyboard(browser, await start({ FeedbackBufferSeconds: 5, ItemsPerTask: ITEMS.length }));
  const templateKey = 'templates/foreign.liquid.html';
  const own = { FeedbackBufferSeconds: 1, WorkerTaskTemplateKey: templateKey };
  await reviewWithForeignTemplate(browser, await start(own), templateKey);
  const several = {
    ...own, ItemsPerTask: 1, ReviewSeveralLabels: true, ComprehendClassificationCategories: "World,Sports,Mother's day,The \"news\"",
  };
  await reviewSeveralWithForeignTemplate(browser, await start(several, '-several'), templateKey);
  await findAmongAThousandLabels(browser, await start({ FeedbackBufferSeconds: 1, ReviewSeveralLabels: true }, '-labels'));
}

async function reviewByKeyboard(browser, stack) {
  await Promise.all(ITEMS.map(([sentence, prediction]) => stack.feedback({ sentence, prediction, confidence: 0.4 })));

  const anonymous = await browser.newContext();
  const stranger = await anonymous.newPage();
  for (const address of ['', 'queue', 'next', 'task?loop=review-1']) {
    const response = await stranger.goto(stack.portalUrl + address);
    assert.equal(response.status(), 401, `anonymous ${address}`);
  }
  await pictures(stranger, 'anonymous');
  ok('nobody sees a page without signing in');

  const reviewer = await person(browser);
  const { page, problems } = reviewer;
  await page.goto(stack.signInUrl);
  await pictures(page, 'sign-in');
  await enter(page, '#sign-in', /\/queue$/);
  await taskArrives(page);
  await pictures(page, 'queue');
  await enter(page, '#start-reviewing', /\/task\?loop=/);
  ok('a one-time link signs a reviewer in, by keyboard');

  const loop = await page.locator('#task-form').getAttribute('data-loop');
  const ids = await showsEveryTextAsText(page);
  await pictures(page, 'task');
  await linkWorksOnce(browser, stack);
  await secondReviewerGetsNothing(browser, stack, loop);

  const expected = await answerByKeyboard(page, ids);
  await page.waitForSelector('#empty-queue');
  await pictures(page, 'done');
  ok('a task of twelve texts is answered by keyboard alone');

  await hasOutput(stack, loop, expected);
  await page.goto(`${stack.portalUrl}task?loop=${loop}`);
  assert.equal(await page.locator('#message').getAttribute('data-code'), 'task_answered');
  await pictures(page, 'answered');
  // The browser itself reports the 409 of that last page.
  assert.deepEqual(problems.filter((problem) => !problem.includes('409')), []);
  ok('no console error, no blocked resource, no script failure');
  await Promise.all([anonymous.close(), reviewer.context.close()]);
}

/** Returns text to record id, as the page has them. */
async function showsEveryTextAsText(page) {
  const shown = await page.locator('.review-item').evaluateAll((items) => items.map((item) => (
    [item.querySelector('.review-text').textContent, item.dataset.item])));
  assert.deepEqual(shown.map(([text]) => text).sort(), ITEMS.map(([text]) => text).sort());
  await nothingRan(page);
  assert.equal(await page.locator('.review-text > :not(mark), .review-text mark *').count(), 0, 'elements in texts');
  const offered = await page.locator('.review-item').first().locator('select option').evaluateAll(
    (options) => options.map((option) => option.value));
  assert.deepEqual(offered, ['', ...LABELS, NONE_FITS, UNSURE]);
  ok('texts are shown as they are, and nothing in them runs');
  return new Map(shown);
}

/** Presses a key twice at the first text: the second text has no answer, and the page says so. */
async function answersOneTextWhereAKeyIsPressedTwice(page) {
  // Within the page: between two keys of this script there may be any time.
  const told = await page.evaluate(() => {
    const items = [...document.querySelectorAll('.review-item')];
    const press = (key) => document.activeElement.dispatchEvent(
      new KeyboardEvent('keydown', { key, code: `Digit${key}`, bubbles: true, cancelable: true }));
    items[0].focus();
    press('1');
    press('1');
    const chosen = items.slice(0, 2).map((item) => item.querySelector('.review-chosen').textContent);
    const says = document.getElementById('review-status').textContent;
    // Another key was meant for the next text.
    press('2');
    const other = items[1].querySelector('.review-chosen').textContent;
    // As it was before.
    document.dispatchEvent(new CustomEvent('portal-restore', { detail: {}, cancelable: true }));
    items[0].focus();
    return { chosen, says, other };
  });
  assert.notEqual(told.chosen[0], '');
  assert.equal(told.chosen[1], '', 'the text after the one that a key was pressed twice for');
  assert.match(told.says, /Not taken.*choose again/);
  assert.notEqual(told.other, '', 'another key is taken at once');
  ok('a key that is pressed twice answers one text');
}

/** Answers by keyboard and returns record id to expected answer. */
async function answerByKeyboard(page, ids) {
  const answers = new Map(ITEMS.map(([text, , keys, answer]) => [text, { keys, answer }]));
  const focused = () => page.evaluate(() => document.activeElement.querySelector?.('.review-text')?.textContent);
  // Not complete yet: the first open item is shown instead.
  await page.keyboard.press('Control+Enter');
  await answersOneTextWhereAKeyIsPressedTwice(page);
  for (const text of ids.keys()) {
    assert.equal(await focused(), text, 'the item with the focus');
    for (const key of answers.get(text).keys) await page.keyboard.press(key);
    // The same key may be meant for the next text once that can have been read.
    await page.waitForTimeout(600);
  }
  assert.match(await page.locator('#review-status').textContent(), /All answered/);
  // The last item again: another answer, then the first one once more.
  await page.keyboard.press('1');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowDown');
  for (const key of answers.get([...ids.keys()].at(-1)).keys) await page.keyboard.press(key);
  await pictures(page, 'answers');
  await page.keyboard.press('Control+Enter');
  return Object.fromEntries([...ids].map(([text, id]) => [id, answers.get(text).answer]));
}

async function hasOutput(stack, loop, expected) {
  const keys = await outputKeys(stack, loop);
  const flow = stack.outputs.HumanReviewWorkflowArnInUse.split('/').pop();
  assert.equal(keys.length, 1);
  assert.match(keys[0], new RegExp(`^${flow}/\\d{4}/\\d\\d/\\d\\d/\\d\\d/\\d\\d/\\d\\d/${loop}/output\\.json$`));
  const output = await stack.reviewObject(keys[0]);
  assert.deepEqual(Object.keys(output), ['flowDefinitionArn', 'humanAnswers', 'humanLoopName', 'inputContent']);
  assert.equal(output.humanLoopName, loop);
  assert.equal(output.humanAnswers.length, 1);
  assert.deepEqual(output.humanAnswers[0].answerContent, expected);
  assert.match(output.humanAnswers[0].workerId, /^[0-9a-f]{16}$/);
  const texts = Object.fromEntries(output.inputContent.comprehendPredictions.map((item) => [item.id, item.utterance]));
  for (const [text, , , answer] of ITEMS) {
    const [id] = Object.entries(texts).find(([, utterance]) => utterance === text);
    assert.equal(output.humanAnswers[0].answerContent[id], answer, text);
  }
  ok('output.json lies where A2I puts it, each answer at its own record');
}

async function linkWorksOnce(browser, stack) {
  const { page, context } = await person(browser);
  await page.goto(stack.signInUrl);
  await enter(page, '#sign-in', /\/sign-in$/);
  assert.equal(await page.locator('#message').getAttribute('data-code'), 'link_used');
  await pictures(page, 'link-used');
  assert.equal((await page.goto(`${stack.portalUrl}queue`)).status(), 401);
  await context.close();
  ok('a sign-in link works once');
}

async function secondReviewerGetsNothing(browser, stack, loop) {
  const { page, context } = await person(browser);
  await page.goto(await stack.signInLink('second'));
  await enter(page, '#sign-in', /\/queue$/);
  assert.equal(await page.locator('#empty-queue').count(), 1, 'an empty queue');
  const response = await page.goto(`${stack.portalUrl}task?loop=${loop}`);
  assert.equal(response.status(), 409);
  assert.equal(await page.locator('#message').getAttribute('data-code'), 'task_held');
  await pictures(page, 'held');
  await page.goto(`${stack.portalUrl}next`);
  assert.equal(await page.locator('#empty-queue').count(), 1);
  await context.close();
  ok('a task that somebody has open is not given to a second reviewer');
}

async function reviewWithForeignTemplate(browser, stack, templateKey) {
  await stack.putReviewObject(templateKey, await readFile(new URL('foreign-template.liquid.html', import.meta.url)));
  const text = '"</classification-target><script>window.hacked=3</script> A match" & "more"';
  await stack.feedback({ sentence: text, prediction: 'Sports', confidence: 0.3 });
  const { page, context, problems } = await person(browser);
  await page.goto(stack.signInUrl);
  await enter(page, '#sign-in', /\/queue$/);
  await taskArrives(page);
  await enter(page, '#start-reviewing', /\/task\?loop=/);
  const loop = await page.locator('#task-form').getAttribute('data-loop');
  assert.equal(await page.locator('classification-target').textContent(), text);
  await nothingRan(page);
  assert.equal(await page.locator('.crowd-choices legend').textContent(), 'Which "category" fits best?');
  assert.equal(await page.getByLabel("It's none of these").count(), 1);
  assert.equal(await page.getByLabel('Summary').inputValue(), text);
  assert.equal(await page.getByLabel('Title').inputValue(), text);
  await pictures(page, 'foreign-template');
  await saysWhatNeedsScript(browser, context, page.url());
  await page.getByRole('button', { name: 'See examples' }).click();
  assert.equal(await page.getByText('One example.').isVisible(), true);
  await page.keyboard.press('Escape');
  assert.equal(await page.getByText('One example.').isVisible(), false);
  await page.getByLabel('Sports').check();
  await page.getByLabel('Remark').fill('Clear "case" <1>');
  await page.getByLabel('Year').pressSequentially('20x24');
  await page.getByLabel('Spam').check();
  await page.reload();
  await page.waitForFunction(() => document.getElementById('portal-status').textContent.includes('is back'));
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.waitForSelector('#empty-queue');
  const output = await stack.reviewObject((await outputKeys(stack, loop))[0]);
  const untouched = { summary: text, title: text, urgency: 1 };
  const entered = { remark: 'Clear "case" <1>', year: '2024', spam: { on: true } };
  const answer = { category: { label: 'Sports' }, ...entered, ...untouched };
  assert.deepEqual(output.humanAnswers[0].answerContent, answer);

  await page.goto(`${stack.portalUrl}task?loop=${loop}&correct=yes`);
  await page.waitForFunction(() => document.querySelector('crowd-text-area[name=remark] textarea')?.value);
  await page.getByLabel('Urgency').fill('4');
  await page.getByRole('button', { name: 'Submit' }).click();
  const correction = await until('the correction', async () => (
    (await stack.reviewKeys('/output.json')).find((key) => key.includes(`/${loop}/corrections/`))));
  const corrected = await stack.reviewObject(correction);
  assert.deepEqual(corrected.humanAnswers[0].answerContent, { ...answer, urgency: 4 });
  await page.goto(`${stack.portalUrl}task?loop=${loop}&correct=yes`);
  await page.waitForFunction(() => document.querySelector('crowd-text-area[name=remark] textarea')?.value);
  await page.getByLabel("It's none of these").check();
  assert.equal(await page.locator('#blocked-warning').textContent(), '');
  await page.getByRole('button', { name: 'Submit' }).click();
  const second = await until('the second correction', async () => (
    (await stack.reviewKeys('/output.json')).find((key) => key.includes(`/${loop}/corrections/`) && key !== correction)));
  const [excluded] = (await stack.reviewObject(second)).humanAnswers;
  assert.deepEqual(excluded.answerContent.category, { label: "It's none of these" });
  assert.deepEqual(excluded.exclusionCategories, { category: "It's none of these" });
  // The page after a submit may not have come when the next one is asked for.
  assert.deepEqual(problems.filter((problem) => !problem.includes('ERR_ABORTED')), []);
  await context.close();
  ok('a worker task template with crowd-classifier, as A2I has them, works unchanged');
}

/** Several labels, some of them chosen from the start, and a category for none in other words. */
async function reviewSeveralWithForeignTemplate(browser, stack, templateKey) {
  await stack.putReviewObject(templateKey, await readFile(new URL('foreign-several.liquid.html', import.meta.url)));
  await stack.feedback({ sentence: 'lorem ipsum', prediction: 'Sports', confidence: 0.2 });
  await stack.feedback({ sentence: 'A cup final on a holiday', prediction: 'Sports', confidence: 0.3 });
  const { page, context } = await person(browser);
  await page.goto(stack.signInUrl);
  await enter(page, '#sign-in', /\/queue$/);
  await until('two tasks', async () => {
    await page.reload();
    return (await page.locator('#queue').getAttribute('data-waiting').catch(() => '0')) === '2';
  });
  await enter(page, '#start-reviewing', /\/task\?loop=/);
  const offered = await page.locator('.crowd-choices label').allTextContents();
  assert.deepEqual(offered, ['World', 'Sports', "Mother's day", 'The "news"', 'Keins "davon"']);
  const chosen = () => page.locator('.crowd-choices input:checked').evaluateAll((boxes) => boxes.map((box) => box.value));
  assert.deepEqual(await chosen(), ['World', "Mother's day"], 'as the initial value says');
  const says = await page.locator('#blocked-warning').textContent();
  assert.match(says, /cdn\.example\.com \(connect-src\)/);
  assert.match(says, /an inline handler \(script-src-attr\)/);
  await page.getByRole('button', { name: 'Dead' }).click();
  await pictures(page, 'foreign-several');
  ok('what the content security policy blocks in a template is named on the page');

  const answers = new Map();
  const answer = async (labels) => {
    const text = await page.locator('classification-target').textContent();
    const loop = await page.locator('#task-form').getAttribute('data-loop');
    for (const label of labels) await page.getByLabel(label, { exact: true }).check();
    const given = await chosen();
    await page.getByRole('button', { name: 'Submit' }).click();
    const output = await stack.reviewObject((await outputKeys(stack, loop))[0]);
    answers.set(text, { given, loop, ...output.humanAnswers[0] });
    return text;
  };
  const none = await answer(['Keins "davon"']);
  await page.waitForFunction((before) => {
    const text = document.querySelector('classification-target')?.textContent;
    return text && text !== before;
  }, none);
  const some = await answer(['Keins "davon"', 'Sports', 'The "news"']);
  assert.deepEqual(answers.get(none).given, ['Keins "davon"'], 'it stands alone');
  assert.deepEqual(answers.get(none).answerContent, { topics: { labels: ['Keins "davon"'] } });
  assert.deepEqual(answers.get(none).exclusionCategories, { topics: 'Keins "davon"' });
  assert.deepEqual(answers.get(some).answerContent, { topics: { labels: ['Sports', 'The "news"'] } });
  assert.equal(answers.get(some).exclusionCategories, undefined);
  for (const [text, wanted] of [[none, { kind: 'none-fits' }], [some, { kind: 'labels', labels: ['Sports', 'The "news"'] }]]) {
    const url = `${stack.endpointUrl}/${stack.outputs.TrainingS3Bucket}/labelled/${answers.get(text).loop}.jsonl`;
    const line = await until('the labelled record', async () => {
      const found = await stack.aws.fetch(url);
      return found.ok ? found.json() : null;
    });
    assert.deepEqual(line.votes[0].answer, wanted, text);
  }
  await context.close();
  ok('several labels of a foreign template, and its own words for none, become votes');
}

/** Most labels differ at their end only: each is found by it, and two of them are one answer. */
async function findAmongAThousandLabels(browser, stack) {
  const labels = Array.from({ length: 1_000 }, (_, index) => ({ name: `Claims | returns, desk ${index + 1}` }));
  const set = { schemaVersion: 1, version: 2, origin: 'edited', updatedAt: '2026-11-01T00:00:00.000Z', labels };
  await stack.putObject('TrainingS3Bucket', 'label-set.json', JSON.stringify(set));
  await stack.feedback({ sentence: 'My chair has three legs only.' });
  const { page, context, problems } = await person(browser);
  await page.goto(stack.signInUrl);
  await enter(page, '#sign-in', /\/queue$/);
  await taskArrives(page);
  await until('a page with the labels', async () => {
    await page.goto(`${stack.portalUrl}next`);
    return (await page.locator('#review-labels option').count()) >= 1_000;
  });
  const loop = await page.locator('#task-form').getAttribute('data-loop');
  await page.waitForSelector('#review-choices button');
  for (const number of ['1000', '777']) {
    await page.keyboard.press('/');
    await page.keyboard.type(`desk ${number}`);
    await page.keyboard.press('Enter');
  }
  assert.match(await page.locator('.review-chosen').textContent(), /desk 777.*desk 1000|desk 1000.*desk 777/);
  await page.keyboard.press('Enter');
  const output = await stack.reviewObject((await outputKeys(stack, loop))[0]);
  const [given] = Object.values(output.humanAnswers[0].answerContent);
  assert.deepEqual([...given].sort(), ['Claims | returns, desk 1000', 'Claims | returns, desk 777']);
  assert.deepEqual(problems, []);
  await context.close();
  ok('of a thousand labels each is found by its end, and several make one answer');
}

/** The form of that template is nothing without a script. */
async function saysWhatNeedsScript(browser, context, address) {
  const plain = await browser.newContext({ javaScriptEnabled: false });
  await plain.addCookies(await context.cookies());
  const page = await plain.newPage();
  await page.goto(address);
  assert.match(await page.textContent('main'), /crowd elements, needs it/);
  await plain.close();
  ok('without JavaScript a page of crowd elements says that it needs it');
}

/** Presses Enter on what the page has given the focus to, and waits for the page that comes of it. */
async function enter(page, selector, address) {
  await page.waitForFunction((wanted) => document.activeElement?.matches(wanted), selector);
  await Promise.all([page.waitForResponse((response) => address.test(response.url())), page.keyboard.press('Enter')]);
  await page.waitForURL(address);
}

async function outputKeys(stack, loop) {
  return until('output.json', async () => {
    const keys = await stack.reviewKeys(`/${loop}/output.json`);
    return keys.length ? keys : null;
  });
}

/** axe finds nothing, and nothing may be cut off on a phone; takes pictures, light and dark, when asked to. */
async function pictures(page, name) {
  await isAccessible(page, name);
  for (const [size, width] of [['phone', 390], ['desktop', 1280]]) {
    await page.setViewportSize({ width, height: 900 });
    await fits(page, `${name} on a ${size}`);
    if (!process.env.SCREENSHOTS) continue;
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      const file = path.join(process.env.SCREENSHOTS, `${name}-${size}-${colorScheme}.png`);
      await page.screenshot({ path: file, fullPage: true });
    }
  }
}

await main(work);
