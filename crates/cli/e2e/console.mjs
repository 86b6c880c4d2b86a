// An operator at work: signs in as an admin in headless Chromium without JavaScript, looks at every page of the
// console, and does what can be done there; then axe looks at every page, in light, dark and forced colours.
//
// Usage: node console.mjs BINARY STATE_DIR. SCREENSHOTS=<folder> takes pictures of every page; CHROMIUM names the browser.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { isAccessible, main, nothingRan, ok } from './checks.mjs';
import { until } from './stack.mjs';

const PAGES = ['overview', 'tasks', 'quality', 'audits', 'guideline', 'guideline?label=World', 'reviewers', 'model', 'versions', 'data',
  'data?source=', 'operations'];
// What reviewers have too.
const OWN_PAGES = ['queue', 'history', 'guide'];
const HOSTILE = '<script>window.hacked=1</script><img src=x onerror="window.hacked=2">';
const DISPUTED = 'The minister, a keen cyclist, opened the velodrome that a bank had paid for.';

async function work(browser, start) {
  const stack = await start({ FeedbackBufferSeconds: 1 });
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
  await workIsDoneWithoutScript(browser, stack);
}

async function everyPageIsThere(stack, page) {
  for (const address of PAGES) {
    const response = await page.goto(stack.portalUrl + address);
    assert.equal(response.status(), 200, address);
    assert.equal(await page.locator('[aria-current=page]').count(), 1, address);
    const json = await page.request.get(stack.portalUrl + address.replace(/(\?.*)?$/, '.json$1'));
    assert.equal(json.status(), 200, `${address}.json`);
    assert.equal(typeof await json.json(), 'object');
  }
  for (const address of OWN_PAGES) {
    assert.equal((await page.goto(stack.portalUrl + address)).status(), 200, address);
    assert.equal((await page.request.get(`${stack.portalUrl}${address}.json`)).status(), 200, `${address}.json`);
  }
  ok('every page is there, also as JSON');
}

async function confirm(page, button) {
  await button.click();
  await page.click('.console-form:has(input[name=confirmed]) button');
  await page.waitForSelector('#done');
}

async function workIsDoneWithoutScript(browser, stack) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(await stack.signInLink('eve', 'admin'));
  await page.click('#sign-in');
  const figures = await (await page.request.get(`${stack.portalUrl}overview.json`)).json();
  await fill(stack, figures.serving.modelArn);

  await page.goto(`${stack.portalUrl}quality`);
  const decides = page.locator('form[action=adjudicate]');
  await decides.locator('select[name=value]').selectOption('Sports');
  await confirm(page, decides.locator('button'));
  assert.equal(await page.locator('form[action=adjudicate]').count(), 0, 'the dispute is decided');
  const proposal = page.locator('tr', { hasText: 'Weather' }).locator('form[action=merge-label]');
  await proposal.locator('select').selectOption('World');
  await confirm(page, proposal.locator('button'));
  ok('a dispute is decided and a proposed label is merged without JavaScript');

  await page.goto(`${stack.portalUrl}guideline?label=Sports`);
  await page.fill('form[action=edit-guideline] textarea[name=meaning]', 'Matches, athletes, clubs.');
  await confirm(page, page.locator('form[action=edit-guideline] button'));
  await page.goto(`${stack.portalUrl}guide`);
  assert.match(await page.textContent('main'), /Matches, athletes, clubs/);
  ok('the guideline is edited without JavaScript');

  await page.goto(`${stack.portalUrl}data`);
  await page.fill('form[action=find-texts] input[name=word]', 'velodrome');
  await page.click('form[action=find-texts] button');
  assert.match(await page.textContent('tbody'), /The minister, a keen cyclist/);
  const file = page.waitForEvent('download');
  await page.click('form[action=find-texts]:has(input[value=csv]) button');
  assert.match(await readFile(await (await file).path(), 'utf8'), /opened the velodrome/);
  ok('a text is found by a word and exported without JavaScript');
  await context.close();
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
  await page.click('.console-form:has(input[name=confirmed]) button');
  const link = await page.inputValue('.console-copy');
  const context = await browser.newContext();
  const theirs = await context.newPage();
  await theirs.goto(link);
  await theirs.click('#sign-in');
  assert.match(theirs.url(), /\/queue$/);

  await page.goto(`${stack.portalUrl}reviewers`);
  await confirm(page, page.locator('tr', { hasText: 'bea & co' }).locator('form[action=pause-reviewer] button'));
  const row = page.locator('tr', { hasText: 'bea & co' }).filter({ has: page.locator('form') });
  assert.match(await row.textContent(), /paused/);
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
  await isAccessible(page, 'console-sign-in');
  await page.click('#sign-in');
  await isAccessible(page, 'console-queue');
  await until('a task', async () => {
    await page.goto(`${stack.portalUrl}tasks`);
    return page.locator('form[action=stop-task]').count();
  });
  for (const address of PAGES) {
    await page.goto(stack.portalUrl + address);
    await isAccessible(page, `console-${address}-of-a-new-stack`);
  }
  const figures = await (await page.request.get(`${stack.portalUrl}overview.json`)).json();
  await fill(stack, figures.serving.modelArn);
  const rejected = 'report?key=rejected/batch-feedback/up.jsonl-00001.jsonl';
  for (const address of [...PAGES, ...OWN_PAGES, 'versions/build-1', rejected]) {
    assert.equal((await page.goto(stack.portalUrl + address)).status(), 200, address);
    await isAccessible(page, `console-${address.replaceAll('/', '-')}`);
  }
  await page.goto(`${stack.portalUrl}next`);
  await page.waitForSelector('#guideline');
  await isAccessible(page, 'task-beside-a-guideline');
  await page.keyboard.press('c');
  await page.waitForSelector('#review-remark:focus');
  await isAccessible(page, 'task-with-a-comment');
  await page.keyboard.press('Escape');
  await page.goto(`${stack.portalUrl}data`);
  await page.fill('form[action=find-text] textarea[name=subject]', DISPUTED);
  await page.fill('form[action=find-text] input[name=value]', 'news');
  await page.click('form[action=find-text] button');
  assert.match(await page.textContent('blockquote'), /opened the velodrome/);
  await isAccessible(page, 'console-one-text');
  await page.goto(`${stack.portalUrl}tasks`);
  await page.click('form[action=stop-task] button');
  await isAccessible(page, 'console-confirmation');
  await page.click('.console-form:has(input[name=confirmed]) button');
  await isAccessible(page, 'console-done');
  await page.goto(`${stack.portalUrl}reviewers`);
  await page.fill('form[action=invite] input[name=subject]', HOSTILE.slice(0, 40));
  await page.click('form[action=invite] button');
  await page.click('.console-form:has(input[name=confirmed]) button');
  await isAccessible(page, 'console-invitation');
  assert.equal((await page.goto(`${stack.portalUrl}versions/none`)).status(), 404);
  await isAccessible(page, 'console-not-found');
  await context.clearCookies();
  await page.goto(await stack.signInLink('rex'));
  await page.click('#sign-in');
  assert.equal((await page.goto(`${stack.portalUrl}overview`)).status(), 403);
  await isAccessible(page, 'console-refused');
  await nothingRan(page);
  ok('nothing that clients, reviewers and operators wrote runs in the console');
  await context.close();
}

/** Puts what weeks of work would leave: a dispute, a proposal, agreement, judged predictions and a build. */
async function fill(stack, modelArn) {
  const put = (output, key, document) => stack.putObject(output, key, JSON.stringify(document));
  const vote = (worker, label) => ({ worker, answer: { kind: 'labels', labels: [label] }, source: 'human-review', at: '2026-11-19T09:00:00.000Z' });
  const id = createHash('sha256').update(`news\0${DISPUTED}`).digest('hex').slice(0, 32);
  const question = {
    schemaVersion: 1, state: 'disputed', items: 1, votes: [vote('0123456789abcdef', 'World'), vote('user:bea', 'Sports')],
    record: {
      schemaVersion: 1, id, classifier: 'news', utterance: DISPUTED, prediction: 'World', confidence: 0.4, source: 'implicit',
      signal: 'low-confidence', receivedAt: '2026-11-19T08:00:00.000Z',
    },
  };
  await put('TrainingS3Bucket', `disputed/${id}.json`, question);
  await put('FeedbackS3Bucket', `questions/${id}.json`, question);
  await put('FeedbackS3Bucket', 'aws/lambda/async/f/one', { requestPayload: { Records: [] } });

  const guide = { label: 'World', meaning: HOSTILE, good: [HOSTILE], bad: [HOSTILE], edgeCases: [HOSTILE] };
  await put('ReviewS3Bucket', 'guideline.json', { introduction: HOSTILE, labels: [guide] });
  await put('FeedbackS3Bucket', 'rejected/batch-feedback/up.jsonl-00001.jsonl', { line: 1, reason: HOSTILE, raw: HOSTILE });

  const labelled = {
    schemaVersion: 1, record: { ...question.record, signal: 'audit' }, votes: [vote('0123456789abcdef', 'Sports')], humanLoop: 'tc-1',
    consensus: { state: 'agreed', answer: { kind: 'labels', labels: ['Sports'] }, confidence: 1 },
    flowDefinitionArn: 'arn', labelledAt: '2026-11-19T09:00:00.000Z',
  };
  await put('TrainingS3Bucket', 'labelled/tc-1.jsonl', labelled);
  const today = new Date().toISOString().slice(0, 10);
  await put('FeedbackS3Bucket', 'stats/arrivals.json', {
    since: '2026-11-01T00:00:00Z', deliveries: [],
    days: { [today]: { asked: { 'low-confidence': 40, audit: 2 }, doubtful: 44, audited: 2, trusted: 200 } },
  });

  const sums = (count) => ({ count, weight: count, square: count });
  const bin = (right, wrong, mean) => ({ right: sums(right), wrong: sums(wrong), confidence: mean * (right + wrong) });
  const week = (right, wrong, mean) => ({ [modelArn]: {
    accuracy: { judged: right + wrong, audited: right + wrong, right: [right, right], wrong: [wrong, wrong] },
    confidence: { count: right + wrong, weighted: [right + wrong, mean * (right + wrong)], squares: [right + wrong, mean * (right + wrong), (mean ** 2 + 0.01) * (right + wrong)] },
  } });
  const ago = (days) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
  await put('TrainingS3Bucket', 'builds/tally.json', {
    byWeek: { [ago(14)]: week(48, 4, 0.81), [ago(7)]: week(41, 9, 0.76), [ago(0)]: week(30, 14, 0.7) },
    audits: { [modelArn]: { 9000: { audited: 120, wrong: 1 } } },
    labels: 200, since: '2026-11-01T00:00:00Z', through: null, recent: {}, proposed: { Weather: 3, [HOSTILE]: 1 },
    answered: { since: '2026-11-02T00:00:00Z', days: { [today]: { texts: 31, items: 40, tasks: 4 } } },
    confusions: { [modelArn]: { newest: '2026-11-19T09:00:00Z', texts: 60, pairs: { World: { World: 40, Sports: 12 }, [HOSTILE]: { '': 8 } } } },
    models: { [modelArn]: { judged: 200, audited: 60, right: [170, 170], wrong: [30, 30] } },
    confidence: { [modelArn]: { classes: { '-8': bin(10, 10, 0.38), 0: bin(28, 12, 0.51), 22: bin(52, 5, 0.8), 40: bin(80, 3, 0.93) }, distance: [20, 5, 4] } },
  });
  const agreement = (alpha) => ({ records: 40, answers: 96, percentAgreement: 0.9, alpha });
  await put('TrainingS3Bucket', 'datasets/newest.json', { version: 'd-1' });
  await put('TrainingS3Bucket', 'datasets/d-1/agreement.json', {
    overall: agreement(0.81), byLabel: { World: agreement(0.74), Sports: agreement(0.92) },
    reviewers: { '0123456789abcdef': { answers: 40, unsure: 2, compared: 31, agreement: 0.9, medianSeconds: 4.2 } },
  });
  const classes = ['World', 'Sports'].map((name) => ({ class: name, support: 50, precision: 0.88, recall: 0.86, f1: 0.87 }));
  const evaluation = (accuracy) => ({
    rows: 100, accuracy, macroF1: accuracy, classes, confusionMatrix: { labels: ['World', 'Sports'], counts: [[43, 7], [5, 45]] },
    expectedCalibrationError: 0.03, brierScore: 0.1, auroc: 0.91,
  });
  const measured = (accuracy) => ({ modelArn, evaluation: evaluation(accuracy) });
  await put('TrainingS3Bucket', 'builds/build-1/decision.json', {
    deploy: true, reasons: [{ inFavour: true, text: 'macro F1 rises by 0.030' }], champion: measured(0.85), challenger: measured(0.88),
    policy: { minMacroF1Gain: 0.005, significance: 0.05, maxRecallLoss: 0.1 }, mcnemar: null, recallChanges: {},
  });
  await put('TrainingS3Bucket', 'builds/build-1/record.json', {
    id: 'build-1', outcome: 'deployed', why: 'macro F1 rises by 0.030', startedAt: '2026-11-19T08:00:00Z', endedAt: '2026-11-19T08:01:00Z',
  });
  await put('TrainingS3Bucket', 'builds/last.json', { id: 'build-2', startedAt: '2026-11-20T08:00:00Z', number: 2, labels: 200 });
  await put('TrainingS3Bucket', 'builds/build-2/approval.json', { taskToken: 'token' });
}

await main(work);
