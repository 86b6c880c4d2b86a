// How long it takes from a key to the next text on the screen.

/** Notes it in the page from now on, by the kind that `window.keyKind` names, for texts that the selector finds. */
export async function measureKeys(page, selector) {
  await page.evaluate((text) => {
    const current = () => document.querySelector(text)?.textContent;
    let pressed = 0;
    let shown = current();
    document.addEventListener('keydown', () => { pressed = performance.now(); }, true);
    new MutationObserver(() => {
      const now = current();
      if (!now || now === shown) return;
      shown = now;
      const since = pressed;
      requestAnimationFrame(() => setTimeout(() => {
        const times = JSON.parse(sessionStorage.getItem('key-times') || '[]');
        times.push([window.keyKind, performance.now() - since]);
        sessionStorage.setItem('key-times', JSON.stringify(times));
      }));
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  }, selector);
}

/** Returns the times of a kind in milliseconds, ascending. */
export async function keyTimes(page, kind) {
  const all = await page.evaluate(() => JSON.parse(sessionStorage.getItem('key-times') || '[]'));
  return all.filter(([of]) => of === kind).map(([, time]) => time).sort((one, other) => one - other);
}

export const quantile = (ascending, share) => ascending[Math.floor((ascending.length - 1) * share)];
