// What a reviewer does in the browser, and what of it is stored: shared by the scripts that review.

import { person } from './checks.mjs';
import { until } from './stack.mjs';

export async function answersByText(stack) {
  const given = new Map();
  for (const key of await keysBelow(stack, stack.outputs.HumanReviewWorkflowArnInUse.split('/').pop())) {
    const output = await stack.reviewObject(key);
    const [item] = output.inputContent.comprehendPredictions;
    const answers = output.humanAnswers.map((answer) => answer.answerContent[item.id]);
    given.set(item.utterance, [...(given.get(item.utterance) ?? []), ...answers]);
  }
  return given;
}

export async function keysBelow(stack, prefix) {
  const keys = [];
  for (let after = ''; ;) {
    const query = new URLSearchParams({ 'list-type': '2', prefix, 'start-after': after });
    const listing = await (await stack.aws.fetch(`${stack.reviewUrl()}?${query}`)).text();
    const page = [...listing.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1]);
    keys.push(...page);
    if (!page.length || !listing.includes('<IsTruncated>true')) return keys;
    after = page.at(-1);
  }
}

export async function signIn(browser, stack, reviewer, role = 'reviewer') {
  const found = await person(browser, { viewport: { width: 1280, height: 900 } });
  await found.page.goto(await stack.signInLink(reviewer, role));
  await found.page.click('#sign-in');
  await found.page.waitForURL(/\/queue$/);
  return found;
}

/** Waits on the queue page until there is a task. */
export const taskArrives = (page) => until('a task in the queue', async () => {
  await page.reload();
  return page.locator('#start-reviewing').count();
});

/** Waits on the queue page until there is a task, and opens it. */
export async function openTask(page) {
  await taskArrives(page);
  await page.click('#start-reviewing');
  await page.waitForSelector('#review-choices button');
}

/** A key as a keyboard of another country gives it: what is written on it, and where it is. */
export const typeForeign = (page, key) => page.evaluate((given) => {
  document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { ...given, bubbles: true, cancelable: true }));
}, key);

export const liesReady = (page) => page.waitForSelector('#task-form[data-ready=yes]', { timeout: 10_000 });

export const shownText = async (page) => {
  await page.waitForSelector('.review-text');
  return page.locator('.review-text').textContent();
};

export async function nextText(page, before) {
  await page.waitForFunction((text) => {
    const shown = document.querySelector('.review-text')?.textContent;
    return document.getElementById('empty-queue') || (shown && shown !== text);
  }, before);
  return page.locator('.review-text').textContent({ timeout: 1_000 }).catch(() => null);
}

/** A choice that comes with a text, before anybody can have read it, is not taken. */
export const canBeRead = (page) => page.waitForFunction(() => !document.getElementById('task-form')?.dataset.unread);

export async function answerWith(page, text, keys) {
  await canBeRead(page);
  for (const key of keys) await page.keyboard.press(key === ' ' ? 'Space' : key);
  await nextText(page, text);
}

/** Makes the storage of the page's browser take nothing more, or take things again. */
export async function storageIsFull(page, isFull) {
  await page.evaluate((full) => {
    window.setItem ??= Storage.prototype.setItem;
    Storage.prototype.setItem = function setItem(...item) {
      if (full && this === window.localStorage) throw new DOMException('it is full', 'QuotaExceededError');
      window.setItem.apply(this, item);
    };
  }, isFull);
}

export async function saved(page) {
  await page.waitForFunction(() => /^Saved/.test(document.getElementById('portal-status').textContent));
}
