// Sign-in by a real OpenID Connect provider, `oidc-provider` of npm: into the portal and the console, with groups, in
// headless Chromium.
//
// Usage: node oidc.mjs BINARY STATE_DIR. CHROMIUM names the browser.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

import { fits, isAccessible, main, ok, person } from './checks.mjs';

const CLIENT = 'human-review';
// Whom the provider knows, by their subject.
const PEOPLE = {
  ada: { email: 'Ada@example.com', email_verified: true, groups: ['bosses', 'staff'] },
  ben: { email: 'ben@example.com', email_verified: true, groups: ['staff'] },
  eve: { email: 'ada@example.com', email_verified: false, groups: ['staff'] },
  mallory: { email: 'mallory@example.com', email_verified: true, groups: ['visitors'] },
};
const HOST = '127.0.0.1';

/** Listens, so that the issuer is known before the portal is, whose address the provider must know. */
async function listen() {
  const server = createServer((request, response) => server.answer(request, response));
  await new Promise((resolve) => { server.listen(0, HOST, resolve); });
  return { server, issuer: `http://${HOST}:${server.address().port}` };
}

function serve({ server, issuer }, redirectUri) {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: CLIENT,
      token_endpoint_auth_method: 'none',
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [redirectUri.replace(/callback$/, 'sign-in')],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    pkce: { required: () => true },
    cookies: { keys: ['only of this test'] },
    async findAccount(_, id) {
      return { accountId: id, claims: async () => ({ sub: id, ...PEOPLE[id] }) };
    },
  });
  server.answer = provider.callback();
}

async function work(browser, start) {
  const listening = await listen();
  try {
    const stack = await start({
      OidcIssuer: listening.issuer,
      OidcClientId: CLIENT,
      OidcScopes: 'groups',
      OidcAdminGroup: 'bosses',
      OidcReviewerGroup: 'staff',
    });
    stack.issuer = listening.issuer;
    serve(listening, `${stack.portalUrl}callback`);
    await signInAndOut(browser, stack);
    await groupsDecide(browser, stack);
    await replaysAreRefused(browser, stack);
    await linksStillWork(browser, stack);
  } finally {
    listening.server.close();
  }
}

/** Signs in at the provider's own pages; ends on whatever page the portal shows then. */
async function signIn(page, stack, login) {
  await page.goto(`${stack.portalUrl}sign-in`);
  await page.click('#sign-in-with-provider');
  await page.fill('input[name=login]', login);
  await page.fill('input[name=password]', 'any');
  await page.click('button[type=submit]');
  await page.click('button[type=submit]'); // consent
}

async function signInAndOut(browser, stack) {
  const ada = await person(browser);
  const { page, problems } = ada;
  await page.goto(`${stack.portalUrl}sign-in`);
  await isAccessible(page, 'provider-sign-in');
  await fits(page, 'provider-sign-in');

  await signIn(page, stack, 'ada');
  await page.waitForURL(/\/overview$/);
  assert.equal(await page.textContent('#reviewer'), 'ada@example.com');
  // The provider's own pages want fonts of the web.
  problems.length = 0;
  await page.reload();
  assert.deepEqual(problems, []);
  ok('an admin of the provider signs in and sees the console, by the address that was verified');

  const session = (await ada.context.cookies()).find(({ name }) => name === 'review-session');
  assert.ok(session.httpOnly && session.sameSite === 'Strict');
  await page.click('#sign-out');
  await page.waitForSelector('button[name=logout]'); // The provider asks whether its own session ends, too.
  assert.ok(page.url().startsWith(stack.issuer));
  await page.click('button[name=logout]');
  await page.waitForURL(/\/sign-in$/);
  await ada.context.addCookies([session]);
  const again = await page.goto(`${stack.portalUrl}queue`);
  assert.equal(again.status(), 401);
  assert.ok(await page.isVisible('#sign-in-with-provider'));
  ok('signing out ends the session here and at the provider for good, and leads back to the sign-in');
  await page.click('#sign-in-with-provider');
  await page.waitForSelector('input[name=login]');
  ok('the next sign-in asks for the account again');
  await ada.context.close();
}

async function groupsDecide(browser, stack) {
  const ben = await person(browser);
  await signIn(ben.page, stack, 'ben');
  await ben.page.waitForURL(/\/queue$/);
  assert.equal((await ben.page.goto(`${stack.portalUrl}overview`)).status(), 403);
  ok('a reviewer of the provider reviews and does not see the console');
  await ben.context.close();

  const mallory = await person(browser);
  await signIn(mallory.page, stack, 'mallory');
  await mallory.page.waitForSelector('#message[data-code=not_in_group]');
  assert.equal((await mallory.page.goto(`${stack.portalUrl}queue`)).status(), 401);
  ok('whoever is in none of the groups does not come in');
  await mallory.context.close();

  const eve = await person(browser);
  await signIn(eve.page, stack, 'eve');
  await eve.page.waitForURL(/\/queue$/);
  assert.match(await eve.page.textContent('#reviewer'), /^[0-9a-f]{16}@127\.0\.0\.1$/);
  ok('an address that nobody verified makes nobody somebody else');
  await eve.context.close();
}

async function replaysAreRefused(browser, stack) {
  const ben = await person(browser);
  let callback = '';
  ben.page.on('request', (request) => {
    if (request.url().startsWith(`${stack.portalUrl}callback?`)) callback = request.url();
  });
  await signIn(ben.page, stack, 'ben');
  await ben.page.waitForURL(/\/queue$/);
  assert.ok(callback.includes('code='));

  await ben.page.goto(callback);
  assert.ok(await ben.page.isVisible('#message[data-code=sign_in_used]'));
  const other = await person(browser);
  await other.page.goto(callback);
  assert.ok(await other.page.isVisible('#message[data-code=sign_in_not_begun]'));
  ok('an answer of the provider works once, and in no other browser');
  await ben.context.close();
  await other.context.close();
}

async function linksStillWork(browser, stack) {
  const cleo = await person(browser);
  await cleo.page.goto(await stack.signInLink('cleo'));
  await cleo.page.click('#sign-in');
  await cleo.page.waitForURL(/\/queue$/);
  ok('one-time links still sign in');
  await cleo.context.close();
}

await main(work);
