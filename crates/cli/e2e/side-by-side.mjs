// The portal and Label Studio side by side: the same texts, labels, browser and pace, one after the other. Prints
// keystrokes a text, and how long it takes from the last key of a text to the next text on the screen.
//
//   python3 -m venv label-studio && label-studio/bin/pip install label-studio        about 1 GB
//   node side-by-side.mjs BINARY STATE_DIR label-studio/bin/label-studio

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { main, person } from './checks.mjs';
import { keyTimes, measureKeys, quantile } from './key-times.mjs';
import { until } from './stack.mjs';

const TEXTS = Number(process.env.TEXTS || 60);
const LABELS = ['World', 'Sports', 'Business', 'SciTech'];
// Long enough for whatever fetches the next text in advance.
const READING_MILLISECONDS = 700;
const START_MILLISECONDS = 300_000;
const USER = { email: 'reviewer@example.com', password: 'some-long-password' };

const texts = Array.from({ length: TEXTS }, (_, number) => `Text ${number} speaks of ${['storms', 'goals', 'shares', 'robots'][number % 4]}`);

async function work(browser, start) {
  const [, , , stateDir, program] = process.argv;
  assert.ok(program, 'the path of the program label-studio is missing');
  const rows = [await ofThePortal(browser, start), await ofLabelStudio(browser, path.resolve(program), `${stateDir}-label-studio`)];
  console.log('| | keystrokes a text | p50 ms | p95 ms |\n|---|---|---|---|');
  for (const [name, keys, times] of rows) {
    console.log(`| ${name} | ${keys} | ${quantile(times, 0.5).toFixed(0)} | ${quantile(times, 0.95).toFixed(0)} |`);
  }
}

async function ofThePortal(browser, start) {
  const limits = { UsagePlanRateLimit: 1000, UsagePlanBurstLimit: 1000 };
  const stack = await start({ FeedbackBufferSeconds: 1, ItemsPerTask: 1, ...limits }, '-portal');
  for (const sentence of texts) await stack.feedback({ sentence, prediction: 'World', confidence: 0.4 });
  const { page, context } = await person(browser);
  await page.goto(await stack.signInLink('ann'));
  await page.click('#sign-in');
  await until('all tasks', async () => {
    await page.reload();
    return Number(await page.locator('#queue').getAttribute('data-waiting').catch(() => 0)) === TEXTS;
  });
  await page.click('#start-reviewing');
  const row = await answerAll(page, 'This program', '.review-text', (label) => [String(LABELS.indexOf(label) + 1)]);
  await context.close();
  await stack.stop();
  return row;
}

async function ofLabelStudio(browser, program, folder) {
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const words = ['start', '--no-browser', '--internal-host', '127.0.0.1', '--port', String(port), '--data-dir', folder,
    '--username', USER.email, '--password', USER.password];
  const environment = { ...process.env, LABEL_STUDIO_BASE_DATA_DIR: folder, COLLECT_ANALYTICS: 'false' };
  const child = spawn(program, words, { env: environment });
  const log = createWriteStream(`${folder}.log`);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const { page, context } = await person(browser);
  try {
    const url = `http://127.0.0.1:${port}`;
    await until('Label Studio', () => fetch(`${url}/user/login/`).then((response) => response.ok, () => false), START_MILLISECONDS);
    await page.goto(`${url}/user/login/`);
    await page.fill('input[name=email]', USER.email);
    await page.fill('input[name=password]', USER.password);
    await page.click('button[type=submit]');
    await page.waitForURL((address) => !address.pathname.includes('login'));
    const version = (await (await page.request.get(`${url}/api/version`)).json()).release;
    await page.goto(`${url}/projects/${await project(page)}/data?labeling=1`);
    const keys = (label) => [String(LABELS.indexOf(label) + 1), 'Control+Enter'];
    return await answerAll(page, `Label Studio Community ${version}`, '.lsf-richtext__container', keys);
  } finally {
    await context.close();
    child.kill('SIGTERM');
  }
}

/** Makes a project with the texts, in their order, and returns its number. */
async function project(page) {
  const choices = LABELS.map((label, index) => `<Choice value="${label}" hotkey="${index + 1}"/>`).join('');
  const made = await post(page, '/api/projects/', {
    title: 'Side by side',
    label_config: `<View><Text name="text" value="$text"/><Choices name="label" toName="text" choice="single">${choices}</Choices></View>`,
  });
  await post(page, `/api/projects/${made.id}/import`, texts.map((text) => ({ text })));
  return made.id;
}

async function post(page, address, body) {
  const [status, reply] = await page.evaluate(async ([to, content]) => {
    const token = document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? '';
    const headers = { 'content-type': 'application/json', 'x-csrftoken': token };
    const response = await fetch(to, { method: 'POST', headers, body: JSON.stringify(content) });
    return [response.status, await response.json()];
  }, [address, body]);
  assert.equal(status, 201, JSON.stringify(reply));
  return reply;
}

/** Answers every text but the last, so that there is always a next one; returns a row of the table. */
async function answerAll(page, name, selector, keysOf) {
  await page.waitForSelector(selector);
  await delay(READING_MILLISECONDS);
  await measureKeys(page, selector);
  await page.evaluate(() => { window.keyKind = 'read'; });
  let strokes = 0;
  for (let answered = 0; answered < TEXTS - 1; answered += 1) {
    const text = await page.locator(selector).first().textContent();
    for (const key of keysOf(LABELS[answered % LABELS.length])) {
      await page.keyboard.press(key);
      strokes += 1;
    }
    await page.waitForFunction(([where, before]) => {
      const shown = document.querySelector(where)?.textContent;
      return shown && shown !== before;
    }, [selector, text]);
    await delay(READING_MILLISECONDS);
  }
  const times = await keyTimes(page, 'read');
  assert.equal(times.length, TEXTS - 1, name);
  return [name, (strokes / (TEXTS - 1)).toFixed(1), times];
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  const { port } = server.address();
  await new Promise((done) => { server.close(done); });
  return port;
}

await main(work);
