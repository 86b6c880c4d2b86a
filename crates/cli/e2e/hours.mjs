// A reviewer at work for hours, by keyboard alone: 200 texts, with undo, every kind of answer, a lost network, a full
// storage, a pause, refusals, a session that ends, a reload, a key that is held, 500 labels, a long text, a lease that somebody took over.
// Every answer arrives exactly once. Prints how long a key takes to the next text.
//
// Usage: node hours.mjs BINARY STATE_DIR. SCREENSHOTS=<folder> takes pictures; CHROMIUM names the browser.

import assert from 'node:assert/strict';

import { fits, isAccessible, main, nothingRan, ok, picture } from './checks.mjs';
import { keyTimes, measureKeys, quantile } from './key-times.mjs';
import {
  answerWith, answersByText, canBeRead, keysBelow, liesReady, nextText, openTask, saved, shownText, signIn, storageIsFull,
  taskArrives,
} from './reviewing.mjs';
import { until } from './stack.mjs';

const TEXTS = Number(process.env.TEXTS || 200);
const REVIEWER = 'Ann <img src=x onerror=window.hacked=1>';
const SUBJECTS = ['baker', 'pilot', 'mayor', 'singer', 'doctor', 'farmer', 'sailor', 'miner', 'tailor', 'judge',
  'printer', 'teacher', 'plumber', 'hunter', 'painter'];
const OBJECTS = ['bridge', 'cup', 'ship', 'market', 'garden', 'letter', 'tower', 'engine', 'record', 'forest',
  'castle', 'violin', 'harbour', 'ladder', 'window'];

const textOf = (number) => {
  const subject = SUBJECTS[number % SUBJECTS.length];
  const object = OBJECTS[Math.floor(number / SUBJECTS.length) % OBJECTS.length];
  return `A ${subject} writes about the ${object}`;
};

async function work(browser, start) {
  const run = async (name, parameters, review) => {
    const limits = { UsagePlanRateLimit: 1000, UsagePlanBurstLimit: 1000 };
    await review(browser, await start({ FeedbackBufferSeconds: 1, ItemsPerTask: 1, ...limits, ...parameters }, `-${name}`));
  };
  await run('texts', {}, reviewForHours);
  const labels = Array.from({ length: 500 }, (_, number) => `T${String(number + 1).padStart(3, '0')}`);
  await run('labels', { ComprehendClassificationCategories: labels.join(',') }, reviewManyLabels);
  await run('several', { ReviewSeveralLabels: 'true', TaskTimeLimitSeconds: 30 }, reviewSeveralLabels);
  await run('blind', { ReviewSeveralLabels: 'true', BlindReviewShare: 1 }, reviewBlind);
}

// ---- 200 texts ---------------------------------------------------------------------------------------------------

async function reviewForHours(browser, stack) {
  await withoutScript(browser, stack);
  for (let number = 0; number < TEXTS; number += 1) {
    await stack.feedback({ sentence: textOf(number), prediction: 'World', confidence: 0.1 + number / 1_000 });
  }
  await until(`${TEXTS} open tasks`, async () => (await keysBelow(stack, 'human-review/queue/')).length === TEXTS);
  ok(`${TEXTS} texts wait`);

  const { page, context, problems } = await signIn(browser, stack, REVIEWER);
  await page.click('#start-reviewing');
  await page.waitForSelector('#review-choices button');
  await isAccessible(page, 'task');
  await picture(page, 'hours-task');
  await page.setViewportSize({ width: 1280, height: 900 });
  await helpOpens(page);
  await measureKeys(page, '.review-text');

  const expected = new Map();
  const corrected = new Map();
  const seen = [];
  const special = specials(page, context, stack, { expected, corrected, seen });
  for (let step = 0; expected.size < TEXTS; step += 1) {
    const text = await shownText(page);
    const does = special[step];
    if (does) {
      await page.evaluate(() => { window.keyKind = 'special'; });
      await does(text);
      continue;
    }
    assert.ok(!expected.has(text), `asked again after an answer: ${text}`);
    // Nobody reads a text in no time: some keys come as soon as they are taken, others when the next text lies ready.
    const reads = step > TEXTS / 2;
    if (reads && TEXTS - expected.size > 1) await liesReady(page);
    await page.evaluate((name) => { window.keyKind = name; }, reads ? 'read' : 'at once');
    expected.set(text, 'Sports');
    seen.push(text);
    await answerWith(page, text, ['2']);
  }
  await page.waitForSelector('#empty-queue');
  ok(`${TEXTS} texts are answered by keyboard alone`);
  for (const kind of ['at once', 'read']) {
    const times = await keyTimes(page, kind);
    const [middle, most, all] = [0.5, 0.95, 1].map((share) => quantile(times, share).toFixed(1));
    console.log(`      key to next text, ${kind}, ${times.length} keys: p50 ${middle} ms, p95 ${most} ms, most ${all} ms`);
  }

  await everyAnswerOnce(stack, expected, corrected);
  await page.goto(`${stack.portalUrl}history`);
  assert.equal(await page.locator('#history tbody tr').count(), 10);
  await nothingRan(page);
  await isAccessible(page, 'history');
  await picture(page, 'hours-history');
  await page.goto(`${stack.portalUrl}queue`);
  assert.ok(Number(await page.locator('#done-today').textContent()) >= TEXTS);
  await isAccessible(page, 'queue');
  await page.goto(`${stack.portalUrl}guide`);
  await isAccessible(page, 'guide');
  ok('history, queue and guide show what was done, and nothing in it runs');
  const wrong = problems.filter((problem) => !/401|ERR_INTERNET_DISCONNECTED|ERR_ABORTED|Failed to load resource/.test(problem));
  assert.deepEqual(wrong, []);
  await context.close();
}

function specials(page, context, stack, { expected, corrected, seen }) {
  const answer = (keys, value) => async (text) => {
    expected.set(text, value);
    seen.push(text);
    await answerWith(page, text, keys);
  };
  const typed = (word) => [...word];
  const someAnswers = async (label, key) => {
    for (let times = 0; times < 5; times += 1) {
      const text = await shownText(page);
      expected.set(text, label);
      seen.push(text);
      await answerWith(page, text, [key]);
    }
  };
  return {
    3: answer(['0'], '__unsure__'),
    4: answer(['n'], '__none__'),
    5: answer(['+', ...typed('Weather'), 'Enter'], 'Weather'),
    6: answer(['+', ...typed('sPORTS'), 'Enter'], 'Sports'),
    7: answer(['+', ...typed('<b onclick=x>'), 'Enter'], '<b onclick=x>'),
    8: async (text) => {
      const remark = 'Why? <img src=x onerror=window.hacked=3>';
      expected.set(text, { answer: 'Business', comment: remark });
      seen.push(text);
      await answerWith(page, text, ['c', ...typed(remark), 'Enter', '3']);
      ok('unsure, none fits, a new label, a spelling of a label, a comment');
    },
    9: async (text) => {
      expected.set(text, { answer: 'SciTech', flag: 'yes' });
      seen.push(text);
      await answerWith(page, text, ['f', '4']);
    },
    // It comes back when nothing else is left.
    10: async (text) => {
      await answerWith(page, text, ['s', ...typed('not mine'), 'Enter']);
      ok('a flag; a skip with a reason');
    },
    15: async (text) => {
      // Each answer is on its way longer than it takes to read and answer the text after it.
      await page.route('**/submit', async (route) => {
        await new Promise((resolve) => { setTimeout(resolve, 500); });
        await route.continue();
      });
      for (let shown = text, times = 0; times < 4; times += 1) {
        expected.set(shown, 'World');
        seen.push(shown);
        await answerWith(page, shown, ['1']);
        shown = await shownText(page);
      }
      await page.unrouteAll({ behavior: 'wait' });
      await liesReady(page);
      ok('who was faster than the server finds the next text ready again');
    },
    20: async (text) => {
      const third = seen.at(-3);
      for (let times = 0; times < 3; times += 1) await page.keyboard.press('u');
      assert.equal(await shownText(page), third);
      assert.match(await page.locator('.review-chosen').textContent(), /Sports/);
      await page.keyboard.press('1');
      assert.equal(await shownText(page), text, 'back at the text before the undo');
      corrected.set(third, 'World');
      ok('the third last answer is undone and given anew');
    },
    25: async (text) => {
      const admin = await adminOf(page, stack);
      // Each process of the function knows of it within a minute.
      const sessionIs = async (status) => {
        const asked = Array.from({ length: 8 }, () => page.request.get(`${stack.portalUrl}session`));
        return (await Promise.all(asked)).every((response) => response.status() === status);
      };
      await liesReady(page);
      await admin.doTo(REVIEWER, 'pause-reviewer');
      await until('the pause', () => sessionIs(403));
      expected.set(text, 'World');
      await answerWith(page, text, ['1']);
      const other = await shownText(page);
      expected.set(other, 'Business');
      await canBeRead(page);
      await page.keyboard.press('3');
      await page.waitForFunction(() => /you are paused\. 2 kept/.test(document.getElementById('portal-status').textContent));
      assert.match(await page.locator('#portal-alert').textContent(), /are paused by an operator.*kept in this browser/);
      await isAccessible(page, 'paused-at-work');
      await admin.doTo(REVIEWER, 'resume-reviewer');
      await admin.context.close();
      await until('the end of the pause', () => sessionIs(200));
      const long = { timeout: 60_000 };
      await page.waitForSelector('#review-choices button', long);
      await page.waitForFunction(() => document.getElementById('portal-alert').textContent === '', null, long);
      await saved(page);
      ok('who is paused in the middle and let in again loses nothing, and the page says so');
    },
    26: async (text) => {
      // As a firewall, or a gateway whose limit is lower.
      const turnedAway = new Set();
      const asJson = (message) => ({ contentType: 'application/json', body: JSON.stringify({ message }) });
      const asPage = (title) => ({ contentType: 'text/html', body: `<html><head><title>${title}</title></head></html>` });
      for (const [status, reply] of [[403, asJson('Forbidden')], [413, asJson('Request Too Long')],
        [403, asPage('Request blocked')]]) {
        await page.route('**/submit', async (route) => {
          const loop = new URLSearchParams(route.request().postData()).get('portal:loop');
          if (!turnedAway.size) turnedAway.add(loop);
          if (!turnedAway.has(loop)) await route.continue();
          else await route.fulfill({ status, ...reply });
        });
        const shown = await shownText(page);
        expected.set(shown, 'World');
        await answerWith(page, shown, ['1']);
        const after = await shownText(page);
        expected.set(after, 'SciTech');
        await answerWith(page, after, ['4']);
        await page.waitForFunction((code) => (
          document.getElementById('portal-status').textContent.includes(`turned away (${code}). 1 kept`)), status);
        await page.unrouteAll({ behavior: 'wait' });
        await saved(page);
        turnedAway.clear();
      }
      assert.equal(await page.locator('#refused-answers').textContent(), '');
      assert.notEqual(await shownText(page), text);
      ok('what something on the way turns away is kept and sent again, and the others do not wait for it');
    },
    28: async (text) => {
      const refused = [];
      await page.route('**/submit', async (route) => {
        refused.push(new URLSearchParams(route.request().postData()).get('portal:loop'));
        const body = JSON.stringify({ status: 400, code: 'answer_unreadable', title: 'This answer was not taken', detail: 'Nothing can be read in it.' });
        await route.fulfill({ status: 400, contentType: 'application/json', body });
      });
      const given = [text];
      await answerWith(page, text, ['2']);
      given.push(await shownText(page));
      await answerWith(page, given[1], ['2']);
      await until('two refusals', async () => await page.locator('#refused-answers p').count() === 2);
      await page.unrouteAll({ behavior: 'wait' });
      await isAccessible(page, 'refused-answers');
      await page.goto(`${stack.portalUrl}queue`);
      assert.equal(await page.locator('#refused-answers p').count(), 2, 'each stays with its link, on every page');
      for (const shown of given) {
        await page.locator('#refused-answers a').first().click();
        await page.waitForSelector('#review-choices button');
        assert.equal(await shownText(page), shown);
        expected.set(shown, 'Business');
        await answerWith(page, shown, ['3']);
        await saved(page);
      }
      assert.equal(new Set(refused).size, 2);
      assert.equal(await page.locator('#refused-answers').textContent(), '');
      await measureKeys(page, '.review-text');
      ok('each answer that was refused for good stays on a list until its task is answered');
    },
    30: async (text) => {
      await liesReady(page);
      expected.set(text, 'World');
      await context.setOffline(true);
      await answerWith(page, text, ['1']);
      const other = await shownText(page);
      expected.set(other, 'Business');
      await canBeRead(page);
      await page.keyboard.press('3');
      await page.waitForFunction(() => /Not saved yet/.test(document.getElementById('portal-status').textContent));
      await context.setOffline(false);
      await nextText(page, other);
      await saved(page);
      ok('the network goes and comes back: nothing is lost, and the page says so');
    },
    45: async (text) => {
      // As while the bucket of one task's results fails.
      let late = '';
      let times = 0;
      await page.route('**/submit', async (route) => {
        const loop = new URLSearchParams(route.request().postData()).get('portal:loop');
        late ||= loop;
        if (loop !== late) {
          // Longer than the pause before the other one is sent again.
          await new Promise((resolve) => { setTimeout(resolve, 2_500); });
          await route.continue();
          return;
        }
        times += 1;
        const body = JSON.stringify({ code: 'storage_unavailable', title: 'Please try again', detail: '' });
        await route.fulfill({ status: 503, contentType: 'application/problem+json', body });
      });
      for (let shown = text, count = 0; count < 3; count += 1) {
        expected.set(shown, 'World');
        seen.push(shown);
        await answerWith(page, shown, ['1']);
        shown = await shownText(page);
      }
      await page.waitForFunction(() => /could not store it.* 1 kept/.test(document.getElementById('portal-status').textContent));
      await until('another try', async () => times > 1);
      await page.unrouteAll({ behavior: 'wait' });
      await saved(page);
      ok('an answer that cannot be stored now is kept and sent again, and those after it do not wait for it');
    },
    50: async (text) => {
      await storageIsFull(page, true);
      const given = [];
      for (let shown = text; given.length < 3;) {
        expected.set(shown, 'Business');
        seen.push(shown);
        given.push(shown);
        await answerWith(page, shown, ['3']);
        shown = await shownText(page);
      }
      await until('the three answers', async () => {
        const arrived = await answersByText(stack);
        return given.every((one) => arrived.has(one));
      }, 20_000);
      assert.match(await page.locator('#storage-warning').textContent(), /storage is full/);
      await isAccessible(page, 'storage-full');
      await saved(page);
      await storageIsFull(page, false);
      const other = await shownText(page);
      expected.set(other, 'World');
      seen.push(other);
      await answerWith(page, other, ['1']);
      await page.waitForFunction(() => document.getElementById('storage-warning').textContent === '');
      ok('three answers arrive from a browser whose storage is full, and the page says so as long as it is');
    },
    55: async (text) => {
      await context.setOffline(true);
      await answerWith(page, text, ['1']);
      const other = await shownText(page);
      await storageIsFull(page, true);
      await page.keyboard.press('u');
      assert.equal(await shownText(page), text);
      expected.set(text, 'SciTech');
      seen.push(text);
      await answerWith(page, text, ['4']);
      assert.equal(await shownText(page), other);
      await page.waitForFunction(() => /1 kept on this page only/.test(document.getElementById('portal-status').textContent));
      await context.setOffline(false);
      await saved(page);
      await storageIsFull(page, false);
      ok('an answer that was changed once the storage was full goes out as it was changed');
    },
    60: async (text) => {
      expected.set(text, 'Business');
      await context.clearCookies();
      await canBeRead(page);
      await page.keyboard.press('3');
      await page.waitForSelector('#sign-in-again');
      const tab = await context.newPage();
      await tab.goto(await stack.signInLink(REVIEWER));
      await tab.click('#sign-in');
      await tab.waitForURL(/\/queue$/);
      await tab.close();
      await page.bringToFront();
      await nextText(page, text);
      await saved(page);
      assert.equal(await page.locator('#portal-alert').textContent(), '');
      // The other tab may have sent it.
      assert.match(await page.locator('#portal-status').textContent(), /^(Saved|Sent in another tab)/);
      ok('the session ends in the middle: sign in in another tab, and the page goes on');
    },
    65: async (text) => {
      const tab = await context.newPage();
      const signsIn = async (reviewer) => {
        await tab.goto(await stack.signInLink(reviewer));
        await tab.click('#sign-in');
        await tab.waitForURL(/\/queue$/);
      };
      await liesReady(page);
      await signsIn('bea');
      await page.bringToFront();
      expected.set(text, 'World');
      await answerWith(page, text, ['1']);
      await page.waitForFunction(() => /Somebody else is signed in here/.test(document.getElementById('portal-alert').textContent));
      await isAccessible(page, 'another-signed-in');
      await tab.goto(`${stack.portalUrl}history`);
      assert.equal(await tab.locator('#history tbody tr').count(), 0, 'nothing is sent in the name of somebody else');
      await signsIn(REVIEWER);
      await tab.close();
      await page.bringToFront();
      await page.waitForFunction(() => document.getElementById('portal-alert').textContent === '');
      await page.waitForFunction(() => /^(Saved|Sent in another tab)/.test(document.getElementById('portal-status').textContent));
      ok('who signs in elsewhere in this browser sends nothing for another, and what waited goes out after that one is back');
    },
    70: async (text) => {
      // As if a quarter of an hour of the session was left.
      await page.route(/\/task\?loop=/, async (route) => {
        const response = await route.fetch();
        const body = (await response.text()).replace(/data-session-seconds="\d+"/, 'data-session-seconds="600"');
        await route.fulfill({ response, body });
      });
      await page.reload();
      await page.waitForSelector('#review-choices button');
      assert.match(await page.locator('#session-warning').textContent(), /Your session ends at .*Sign in/);
      await isAccessible(page, 'session-warning');
      await page.unrouteAll({ behavior: 'wait' });
      // It asks for the session now and then, and this one is as long as ever.
      await page.waitForFunction(() => document.getElementById('session-warning').textContent === '', null, { timeout: 60_000 });
      assert.equal(await shownText(page), text);
      await measureKeys(page, '.review-text');
      expected.set(text, 'World');
      await answerWith(page, text, ['1']);
      ok('the page warns before the session ends, until there is another one');
    },
    80: async (text) => {
      await page.keyboard.press('c');
      await page.keyboard.type('half a remark');
      await page.reload();
      await page.waitForSelector('#review-choices button');
      assert.equal(await shownText(page), text);
      assert.match(await page.locator('.review-chosen').textContent(), /half a remark/);
      expected.set(text, { answer: 'World', comment: 'half a remark' });
      await measureKeys(page, '.review-text');
      await answerWith(page, text, ['1']);
      ok('a reload brings back what was typed');
    },
    100: async (text) => {
      expected.set(text, 'World');
      await saved(page);
      await canBeRead(page);
      await page.keyboard.down('1');
      for (let times = 0; times < 10; times += 1) await page.keyboard.down('1');
      await page.keyboard.up('1');
      const after = await nextText(page, text);
      await page.waitForTimeout(300);
      assert.equal(await shownText(page), after, 'one key, one answer');
      ok('a key that is held answers once');
    },
    110: async (text) => {
      await canBeRead(page);
      await liesReady(page);
      expected.set(text, 'Sports');
      seen.push(text);
      // Within the page: between two keys of this script there may be any time.
      const told = await page.evaluate(() => {
        const press = () => document.activeElement.dispatchEvent(
          new KeyboardEvent('keydown', { key: '2', code: 'Digit2', bubbles: true, cancelable: true }));
        const shown = () => document.querySelector('.review-text').textContent;
        press();
        const after = shown();
        press();
        const choice = document.querySelector('#review-choices button');
        choice.click();
        return { after, still: shown(), says: document.getElementById('undoing').textContent };
      });
      assert.notEqual(told.after, text);
      assert.equal(told.still, told.after, 'a text that had only just come is not answered');
      assert.match(told.says, /Not taken.*choose again/);
      assert.equal(await page.locator('.review-chosen').textContent(), '');
      await answerWith(page, told.after, ['4']);
      expected.set(told.after, 'SciTech');
      seen.push(told.after);
      ok('a key that is pressed twice, or a second click, answers once, and the page says so');
    },
    120: async (text) => {
      await page.keyboard.press('?');
      await page.uncheck('#letters');
      await page.keyboard.press('Escape');
      await page.keyboard.press('2');
      await page.waitForTimeout(200);
      assert.equal(await shownText(page), text, 'single keys are off');
      await page.keyboard.press('Tab');
      await page.locator('#keys').press('Enter');
      await page.check('#letters');
      await page.keyboard.press('Escape');
      await page.locator('.review-item').focus();
      expected.set(text, 'Sports');
      await answerWith(page, text, ['2']);
      ok('keys of a single letter can be switched off');
    },
    130: async () => {
      await page.setViewportSize({ width: 390, height: 844 });
      await fits(page, 'a task on a phone');
      const box = await page.locator('#review-choices').boundingBox();
      assert.ok(box.y > 0 && box.y < 844, `the labels are in sight on a phone: ${JSON.stringify(box)}`);
      await someAnswers('SciTech', '4');
      await isAccessible(page, 'task-on-a-phone');
      await page.setViewportSize({ width: 1280, height: 900 });
      ok('five texts on a phone');
    },
    140: async () => {
      await page.emulateMedia({ forcedColors: 'active' });
      const item = await page.locator('.review-item').evaluate((element) => getComputedStyle(element).outlineStyle);
      assert.equal(item, 'solid', 'the text with the focus has an outline');
      await someAnswers('Business', '3');
      await page.emulateMedia({ forcedColors: 'none' });
      ok('five texts in forced colours, and the focus is seen');
    },
  };
}

async function withoutScript(browser, stack) {
  await stack.feedback({ sentence: 'A text for somebody without a script', prediction: 'World', confidence: 0.3 });
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(await stack.signInLink('plain'));
  await page.click('#sign-in');
  await page.waitForURL(/\/queue$/);
  await taskArrives(page);
  await page.click('#start-reviewing');
  await page.locator('select').selectOption('Sports');
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.waitForURL(/\/queue$/);
  await page.goto(`${stack.portalUrl}history`);
  await page.click('#history tbody a');
  await page.locator('select').selectOption('World');
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.waitForURL(/\/queue$/);
  await context.close();
  ok('without JavaScript a text is answered, found in the history and answered again');
}

async function helpOpens(page) {
  await page.keyboard.press('?');
  assert.ok(await page.locator('#help').isVisible());
  await isAccessible(page, 'help');
  await page.keyboard.press('Escape');
  await page.locator('.review-item').focus();
}

/** Each text has one output with one answer, the last one given; only what was undone has a correction. */
async function everyAnswerOnce(stack, expected, corrected) {
  const outputs = new Map();
  const corrections = new Map();
  for (const key of await keysBelow(stack, stack.outputs.HumanReviewWorkflowArnInUse.split('/').pop())) {
    const output = await stack.reviewObject(key);
    const [item] = output.inputContent.comprehendPredictions;
    assert.equal(output.humanAnswers.length, 1, key);
    const content = output.humanAnswers[0].answerContent;
    const given = [content[item.id], content[`comment:${item.id}`], content[`flag:${item.id}`]];
    const to = key.includes('/corrections/') ? corrections : outputs;
    assert.ok(!to.has(item.utterance), `twice: ${item.utterance}`);
    to.set(item.utterance, given);
  }
  outputs.delete('A text for somebody without a script');
  corrections.delete('A text for somebody without a script');
  assert.equal(outputs.size, expected.size);
  for (const [text, wanted] of expected) {
    const { answer, comment, flag } = typeof wanted === 'object' ? wanted : { answer: wanted };
    assert.deepEqual(outputs.get(text), [answer, comment, flag], text);
  }
  assert.deepEqual(Object.fromEntries([...corrections].map(([text, [answer]]) => [text, answer])), Object.fromEntries(corrected));
  ok('every answer arrived exactly once');
}

// ---- 500 labels, a long text -------------------------------------------------------------------------------------

async function reviewManyLabels(browser, stack) {
  const words = Array.from({ length: 1_500 }, (_, number) => ['storm', 'treaty', 'goal', 'share'][number % 4] + number).join(' ');
  const long = words.slice(0, 9_000);
  await stack.feedback({ sentence: long, prediction: 'T321', confidence: 0.2 });
  await stack.feedback({ sentence: 'A short one', prediction: 'T007', confidence: 0.6 });
  const { page, context } = await signIn(browser, stack, 'many');
  await until('two tasks', async () => {
    await page.reload();
    return (await page.locator('#queue').getAttribute('data-waiting').catch(() => '0')) === '2';
  });
  await page.click('#start-reviewing');
  await page.waitForSelector('#review-choices button');
  const first = await page.locator('#review-choices bdi').first().textContent();
  assert.equal(first, 'T321', 'the most probable label first');
  await isAccessible(page, 'many-labels');
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 800 });
    const box = await page.locator('#review-choices').boundingBox();
    assert.ok(box.y < 800 && box.y > 0, `the labels are in sight at ${width} pixels: ${JSON.stringify(box)}`);
    await fits(page, `500 labels at ${width} pixels`);
  }
  await picture(page, 'hours-500-labels');
  const scrollTop = () => page.locator('.review-text').evaluate((text) => text.scrollTop);
  assert.equal(await scrollTop(), 0);
  await page.keyboard.press('ArrowDown');
  assert.ok(await scrollTop() > 0, 'arrow keys scroll in the text');
  ok('a text of 9 kB folds, scrolls by arrow keys and leaves the labels in sight, on a phone too');

  await page.keyboard.press('/');
  await page.keyboard.type('t437');
  await isAccessible(page, 'search');
  await page.keyboard.press('Enter');
  assert.equal(await nextText(page, long), 'A short one');
  await canBeRead(page);
  await page.keyboard.press('Shift+2');
  await page.waitForSelector('#empty-queue');
  const given = await answersByText(stack);
  assert.equal(given.get(long)[0], 'T437');
  assert.equal(given.get('A short one')[0], 'T011', 'Shift+2 is the eleventh: T007, T001 …');
  await context.close();
  ok('500 labels: the most probable by key, the others by search');
}

// ---- Several labels, a lease that is lost ------------------------------------------------------------------------

async function reviewSeveralLabels(browser, stack) {
  await stack.feedback({ sentence: 'Shares of a football club', prediction: 'Sports', confidence: 0.2 });
  const { page, context } = await signIn(browser, stack, 'slow');
  await openTask(page);
  for (const key of ['1', '2', '3', '1']) await page.keyboard.press(key);
  assert.equal(await page.locator('#review-choices button[aria-pressed=true]').count(), 2);
  await isAccessible(page, 'several-labels');
  await page.emulateMedia({ forcedColors: 'active' });
  const colours = await page.locator('#review-choices button[data-choice]').evaluateAll((buttons) => buttons.slice(0, 4)
    .map((button) => [button.getAttribute('aria-pressed'), getComputedStyle(button).backgroundColor]));
  const [chosen, others] = ['true', 'false'].map((state) => new Set(colours.filter(([pressed]) => pressed === state).map(([, colour]) => colour)));
  assert.ok(![...chosen].some((colour) => others.has(colour)), `forced colours show the choice: ${JSON.stringify(colours)}`);
  await page.emulateMedia({ forcedColors: 'none' });

  // Nobody touches the page, and somebody else takes the task.
  const other = await signIn(browser, stack, 'quick');
  await until('the lease ends', async () => {
    await other.page.goto(`${stack.portalUrl}next`);
    return other.page.locator('#review-choices').count();
  });
  assert.match(await page.locator('#lease-warning').textContent(), /more min/);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/queue$/);
  await other.page.keyboard.press('4');
  await other.page.keyboard.press('Enter');
  await other.page.waitForURL(/\/queue$/);
  const given = await answersByText(stack);
  const votes = given.get('Shares of a football club').map((labels) => labels.join('+')).sort();
  assert.deepEqual(votes, ['SciTech', 'Sports+Business'].sort());
  await Promise.all([context.close(), other.context.close()]);
  ok('two labels for one text; a lease that was lost is warned of, and both answers count');
}

// ---- Blind -------------------------------------------------------------------------------------------------------

async function reviewBlind(browser, stack) {
  const sentence = 'A minister kicked off the cup final';
  await stack.feedback({ sentence, prediction: 'Sports', confidence: 0.25 });
  const { page, context } = await signIn(browser, stack, 'blind');
  await openTask(page);
  await isAccessible(page, 'blind');
  const isTold = () => page.evaluate(() => /predicted (?!one)|25 %/.test(document.querySelector('main').innerText));
  await canBeRead(page);
  await page.keyboard.press('Enter');
  assert.match(await page.locator('#review-status').textContent(), /reviewed blind: choose/, 'Enter approves nothing');
  assert.equal(await page.locator('mark').count(), 0, 'no word is marked');
  assert.equal(await isTold(), false);
  await page.keyboard.press('1');
  assert.equal(await page.locator('#review-choices button[aria-pressed=true]').count(), 1);
  assert.equal(await isTold(), false, 'a choice that can still be changed is not leaned');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/queue$/);
  const given = await answersByText(stack);
  assert.deepEqual(given.get(sentence), [['World']]);
  await context.close();
  ok('a text that is reviewed blind shows nothing of its prediction before the answer is sent');
}

// ---- Help --------------------------------------------------------------------------------------------------------

/** An admin at the console, who pauses people and lets them in again. */
async function adminOf(page, stack) {
  const context = await page.context().browser().newContext();
  const console = await context.newPage();
  await console.goto(await stack.signInLink('ada', 'admin'));
  await console.click('#sign-in');
  const doTo = async (name, action) => {
    await console.goto(`${stack.portalUrl}reviewers`);
    await console.locator('tr', { hasText: name }).locator(`form[action=${action}] button`).click();
    await console.click('.console-form:has(input[name=confirmed]) button');
    await console.waitForSelector('#done');
  };
  return { context, doTo };
}

await main(work);
