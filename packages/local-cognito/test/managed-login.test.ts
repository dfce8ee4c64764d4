/** The managed login pages as a browser without script sees them. */
import { expect, test } from 'vitest';
import { unescapeHtml } from './support/browser.ts';
import { CALLBACK, CONFIG, PASSWORD, startPool } from './support/pool.ts';

const NEW_PASSWORD = 'Fresh-Start-2';
const alertOf = (html: string) => unescapeHtml(/role="alert"[^>]*>(?:<code>)?([^<]*)/.exec(html)?.[1] ?? '');

test('authorize leads to /login with the same parameters; signing in leads to the callback with code and state', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  const first = await browser.get(pool.authorizeUrl({ state: 's 1', nonce: 'n', scope: 'openid' }));
  expect(first.status).toBe(302);
  expect(first.location.replace('/login?', '/oauth2/authorize?')).toBe(
    pool.authorizeUrl({ state: 's 1', nonce: 'n', scope: 'openid' }),
  );
  const form = await browser.get(first.location);
  const done = await browser.submit(form, { username: 'ADA@example.com', password: PASSWORD });
  expect(done.location).toMatch(/^http:\/\/localhost:3000\/callback\?code=[0-9a-f-]{36}&state=s\+1$/);
});

test('the session signs in silently for an hour, whatever the client, and no longer', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  await pool.signIn({}, browser);
  const signedInAt = pool.clock.now;
  pool.clock.now += 3599;
  const silent = await browser.get(pool.authorizeUrl({ client_id: 'strict', prompt: 'none' }));
  const code = new URL(silent.location).searchParams.get('code') ?? '';
  const fields = { grant_type: 'authorization_code', client_id: 'strict', redirect_uri: CALLBACK, code };
  const { access_token } = (await pool.token(fields)).body;
  const claims = JSON.parse(Buffer.from(String(access_token).split('.')[1] ?? '', 'base64url').toString());
  expect(claims.auth_time).toBe(signedInAt);
  const again = await browser.get(pool.authorizeUrl({ prompt: 'login' }));
  expect(again.location).toContain('/login?');
  pool.clock.now += 1;
  expect((await browser.get(pool.authorizeUrl({ prompt: 'none' }))).location).toBe(`${CALLBACK}?error=login_required`);
});

test('signing in always starts a new session, so that a planted one gains nothing', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  browser.cookies.set('cognito', 'planted');
  await pool.signIn({}, browser);
  const first = browser.cookies.get('cognito');
  expect(first).not.toBe('planted');
  await browser.submit(await browser.get(pool.authorizeUrl().replace('/oauth2/authorize', '/login')), {
    username: 'bob',
    password: PASSWORD,
  });
  expect(browser.cookies.get('cognito')).not.toBe(first);
});

test.each([
  ['wrong password', { username: 'ada', password: 'Wrong-Password-1' }],
  ['unknown user', { username: 'nobody', password: PASSWORD }],
  ['nothing', {}],
])(
  'a failed sign-in says the same for %s, keeps the name and shows no password',
  async (_, fields: Record<string, string>) => {
    const pool = await startPool();
    const browser = pool.browser();
    const failed = await browser.submit(await pool.loginPage(browser), fields);
    expect(failed.status).toBe(400);
    expect(alertOf(failed.html)).toBe('Incorrect username or password.');
    expect(failed.html).toContain('aria-invalid="true" aria-describedby="error"');
    expect(failed.html).toContain(`value="${fields.username ?? ''}"`);
    expect(failed.html).not.toContain(fields.password ?? PASSWORD);
    expect((await browser.get(pool.authorizeUrl())).location).toContain('/login?');
  },
);

test('five failures lock for a second, each further one for twice as long; parallel guesses count', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  const form = await pool.loginPage(browser);
  const attempt = async (password: string, username = 'ada') =>
    (await browser.submit(form, { username, password })).status;
  const guesses = await Promise.all(Array.from({ length: 12 }, () => attempt('guess')));
  expect(guesses.filter((status) => status === 400)).toHaveLength(5);
  expect(guesses.filter((status) => status === 429)).toHaveLength(7);
  expect(await attempt(PASSWORD, 'ada@example.com')).toBe(429);
  expect(await attempt(PASSWORD, 'bob')).toBe(302);
  pool.clock.now += 1;
  expect(await attempt('guess')).toBe(400);
  pool.clock.now += 1;
  expect(await attempt(PASSWORD)).toBe(429);
  pool.clock.now += 1;
  expect(await attempt(PASSWORD)).toBe(302);
  expect(await attempt('guess')).toBe(400);
});

test.each(['/login', '/signup', '/confirmUser', '/resendcode', '/forgotPassword', '/confirmForgotPassword'])(
  'a form without its CSRF token, or with a foreign one, does nothing: %s',
  async (path) => {
    const pool = await startPool();
    const browser = pool.browser();
    await pool.loginPage(browser);
    const url = pool.authorizeUrl().replace('/oauth2/authorize', path);
    const fields = { username: 'ada', email: 'new@example.com', password: PASSWORD, code: '123456' };
    const cookie = browser.cookies.get('XSRF-TOKEN') ?? '';
    const events = pool.events.length;
    expect((await browser.post(url, fields)).status).toBe(403);
    expect((await browser.post(url, { ...fields, _csrf: `${cookie}x` })).status).toBe(403);
    browser.cookies.set('XSRF-TOKEN', 'forged');
    expect((await browser.post(url, { ...fields, _csrf: 'forged' })).status).toBe(403);
    browser.cookies.clear();
    expect((await browser.post(url, { ...fields, _csrf: cookie })).status).toBe(403);
    expect(pool.events.slice(events).every((event) => event.event === 'request.refused')).toBe(true);
    const other = pool.browser();
    expect((await other.submit(await pool.loginPage(other), { username: 'ada', password: PASSWORD })).status).toBe(302);
  },
);

test('after a stale form the page carries a token that works', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  browser.cookies.set('XSRF-TOKEN', 'from-another-program-on-localhost');
  const stale = await browser.post(pool.authorizeUrl().replace('/oauth2/authorize', '/login'), { username: 'ada' });
  expect(alertOf(stale.html)).toContain('expired');
  expect((await browser.submit(stale, { username: 'ada', password: PASSWORD })).status).toBe(302);
});

test('sign up, confirm with the printed code, and be signed in', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  const url = pool.authorizeUrl({ state: 's' }).replace('/oauth2/authorize', '/signup');
  const fields = { username: 'grace', email: 'grace@example.com', password: NEW_PASSWORD };
  const signedUp = await browser.submit(await browser.get(url), fields);
  expect(new URL(signedUp.location).pathname).toBe('/confirmUser');
  expect((await browser.get(pool.authorizeUrl({ prompt: 'none' }))).location).toContain('login_required');
  const form = await browser.get(signedUp.location);
  const wrong = await browser.submit(form, { username: 'grace', code: 'x' });
  expect(alertOf(wrong.html)).toBe('Invalid verification code provided, please try again.');
  const done = await browser.submit(form, { username: 'grace', code: pool.codeFor('grace') });
  expect(done.location).toMatch(/\/callback\?code=.*&state=s$/);
  const code = new URL(done.location).searchParams.get('code') ?? '';
  const tokens = await pool.token({
    grant_type: 'authorization_code',
    client_id: 'public',
    redirect_uri: CALLBACK,
    code,
  });
  const info = await pool.get('/oauth2/userInfo', { authorization: `Bearer ${tokens.body.access_token}` });
  expect(info.body).toMatchObject({ username: 'grace', email: 'grace@example.com', email_verified: 'true' });
});

test('a code confirmed in another browser confirms the account but signs nobody in', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  const url = pool.authorizeUrl().replace('/oauth2/authorize', '/signup');
  const fields = { username: 'grace', email: 'grace@example.com', password: NEW_PASSWORD };
  const { location } = await browser.submit(await browser.get(url), fields);
  const other = pool.browser();
  await pool.signIn({}, other, 'bob');
  const done = await other.submit(await other.get(location), { username: 'grace', code: pool.codeFor('grace') });
  expect(new URL(done.location).pathname).toBe('/login');
  expect((await other.get(done.location)).html).toContain('Your account is confirmed.');
  const stranger = pool.browser();
  expect((await stranger.get(pool.authorizeUrl({ prompt: 'none' }))).location).toContain('login_required');
  expect(pool.events.filter((event) => event.event === 'user.signed_in')).toHaveLength(1);
});

test.each([
  ['taken username', { username: 'Ada', email: 'x@example.com' }, 'already exists'],
  ['taken address', { username: 'ada2', email: 'ADA@example.com' }, 'already exists'],
  ['address as username', { username: 'x@example.com', email: 'x@example.com' }, 'Username cannot be of email format.'],
  ['no username', { username: '', email: 'x@example.com' }, 'Choose a username without spaces.'],
  ['spaces', { username: 'a b', email: 'x@example.com' }, 'Choose a username without spaces.'],
  ['no address', { username: 'x', email: '' }, 'Invalid email address format.'],
  ['bad address', { username: 'x', email: 'nowhere' }, 'Invalid email address format.'],
  ['short password', { username: 'x', email: 'x@example.com', password: 'Ab1!' }, 'Password not long enough'],
  ['no digit', { username: 'x', email: 'x@example.com', password: 'Abcdefg!' }, 'numeric'],
  ['no symbol', { username: 'x', email: 'x@example.com', password: 'Abcdefg1' }, 'symbol'],
  ['no upper case', { username: 'x', email: 'x@example.com', password: 'abcdefg1!' }, 'uppercase'],
  ['no lower case', { username: 'x', email: 'x@example.com', password: 'ABCDEFG1!' }, 'lowercase'],
])('sign-up refuses: %s', async (_, fields, message) => {
  const pool = await startPool();
  const browser = pool.browser();
  const form = await browser.get(pool.authorizeUrl().replace('/oauth2/authorize', '/signup'));
  const refused = await browser.submit(form, { password: NEW_PASSWORD, ...fields });
  expect(refused.status).toBe(400);
  expect(alertOf(refused.html)).toContain(message);
  expect(pool.events.some((event) => event.event === 'user.signed_up')).toBe(false);
});

test('of eight equal sign-ups at once one is made', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  const form = await browser.get(pool.authorizeUrl().replace('/oauth2/authorize', '/signup'));
  const fields = { username: 'grace', email: 'grace@example.com', password: NEW_PASSWORD };
  const answers = await Promise.all(Array.from({ length: 8 }, () => browser.submit(form, fields)));
  expect(answers.map((answer) => answer.status).sort()).toEqual([302, 400, 400, 400, 400, 400, 400, 400]);
});

test('an unconfirmed user with the right password is sent to confirm, with a new code on request', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  const sent = await browser.submit(await pool.loginPage(browser), { username: 'newcomer', password: PASSWORD });
  const form = await browser.get(sent.location);
  const first = pool.codeFor('newcomer');
  const resent = await browser.submit(form, {}, 1);
  expect((await browser.get(resent.location)).html).toContain('A new code was printed to the log.');
  const code = pool.codeFor('newcomer');
  if (first !== code) expect((await browser.submit(form, { username: 'newcomer', code: first })).status).toBe(400);
  const done = await browser.submit(form, { username: 'newcomer', code });
  expect(done.location).toContain('/callback?code=');
  for (let sends = 0; sends < 3; sends += 1) await browser.submit(form, {}, 1);
  expect((await browser.submit(form, { username: 'newcomer', code })).status).toBe(400);
});

test('a code dies after five wrong tries, and only five are sent in a quarter of an hour', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  const sent = await browser.submit(await pool.loginPage(browser), { username: 'newcomer', password: PASSWORD });
  const form = await browser.get(sent.location);
  for (let tries = 0; tries < 5; tries += 1) {
    expect((await browser.submit(form, { username: 'newcomer', code: 'x' })).status).toBe(400);
  }
  const late = await browser.submit(form, { username: 'newcomer', code: pool.codeFor('newcomer') });
  expect([late.status, alertOf(late.html)]).toEqual([429, 'Attempt limit exceeded, please try after some time.']);
  for (let sends = 1; sends < 5; sends += 1) expect((await browser.submit(form, {}, 1)).status).toBe(302);
  expect((await browser.submit(form, {}, 1)).status).toBe(429);
  pool.clock.now += 900;
  expect((await browser.submit(form, {}, 1)).status).toBe(302);
  const done = await browser.submit(form, { username: 'newcomer', code: pool.codeFor('newcomer') });
  expect(done.location).toContain('/callback?code=');
});

test('forgot password: a new one for the printed code, old password and old sessions end', async () => {
  const pool = await startPool();
  const signedIn = pool.browser();
  await pool.signIn({}, signedIn);
  const browser = pool.browser();
  const url = pool.authorizeUrl().replace('/oauth2/authorize', '/forgotPassword');
  const asked = await browser.submit(await browser.get(url), { username: 'ada@example.com' });
  const form = await browser.get(asked.location);
  const code = pool.codeFor('ada');
  const weak = await browser.submit(form, { username: 'ada', code, password: 'weak' });
  expect(alertOf(weak.html)).toContain('Password not long enough');
  expect((await browser.submit(form, { username: 'ada', code: 'x', password: NEW_PASSWORD })).status).toBe(400);
  const done = await browser.submit(form, { username: 'ada', code, password: NEW_PASSWORD });
  expect((await browser.get(done.location)).html).toContain('Your password is changed.');
  expect((await browser.submit(form, { username: 'ada', code, password: 'Other-Word-3' })).status).toBe(400);
  expect((await signedIn.get(pool.authorizeUrl({ prompt: 'none' }))).location).toContain('login_required');
  const login = await pool.loginPage(browser);
  expect((await browser.submit(login, { username: 'ada', password: PASSWORD })).status).toBe(400);
  expect((await browser.submit(login, { username: 'ada', password: NEW_PASSWORD })).status).toBe(302);
});

test('forgot password tells nobody who has an account, and its code ends after an hour', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  const url = pool.authorizeUrl().replace('/oauth2/authorize', '/forgotPassword');
  const known = await browser.submit(await browser.get(url), { username: 'bob' });
  const unknown = await browser.submit(await browser.get(url), { username: 'nobody' });
  expect(unknown.location.replace('nobody', 'bob')).toBe(known.location);
  expect(pool.codeFor('nobody')).toBe('none');
  const page = async (at: string) => (await browser.get(at)).html.replaceAll('nobody', 'bob');
  expect(await page(unknown.location)).toBe(await page(known.location));
  pool.clock.now += 3600;
  const fields = { username: 'bob', code: pool.codeFor('bob'), password: NEW_PASSWORD };
  const late = await browser.submit(await browser.get(known.location), fields);
  expect(alertOf(late.html)).toBe('Invalid code provided, please request a code again.');
});

test('where users sign in by address, sign-up asks for it alone and the username is the sub', async () => {
  const pool = await startPool({ config: { ...CONFIG, usernameAttributes: ['email'] } });
  const browser = pool.browser();
  const form = await browser.get(pool.authorizeUrl().replace('/oauth2/authorize', '/signup'));
  expect(form.html).not.toContain('name="username"');
  const sent = await browser.submit(form, { email: 'grace@example.com', password: NEW_PASSWORD });
  const username = new URL(sent.location).searchParams.get('user_name') ?? '';
  expect(username).toMatch(/^[0-9a-f-]{36}$/);
  const confirm = await browser.get(sent.location);
  const done = await browser.submit(confirm, { username: 'grace@example.com', code: pool.codeFor(username) });
  expect(done.location).toContain('/callback?code=');
});

test('a pool without self sign-up offers none and takes none', async () => {
  const pool = await startPool({ config: { ...CONFIG, selfSignUp: false } });
  const browser = pool.browser();
  const login = await pool.loginPage(browser);
  expect(login.html).not.toContain('/signup');
  const url = login.url.replace('/login', '/signup');
  expect((await browser.get(url)).location).toContain('/login?');
  const _csrf = browser.cookies.get('XSRF-TOKEN') ?? '';
  const fields = { _csrf, username: 'grace', email: 'grace@example.com', password: NEW_PASSWORD };
  expect((await browser.post(url, fields)).status).toBe(403);
});

test('logout ends the session and goes to a registered address only', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  await pool.signIn({}, browser);
  const logout = (params: Record<string, string>) =>
    browser.get(`${pool.origin}/logout?${new URLSearchParams(params)}`);
  for (const params of [
    { logout_uri: 'http://localhost:3000/bye' },
    { client_id: 'nobody', logout_uri: 'http://localhost:3000/bye' },
    { client_id: 'public', logout_uri: 'https://evil.example.com/' },
    { client_id: 'public' },
    { client_id: 'public', redirect_uri: 'https://evil.example.com/', response_type: 'code' },
  ]) {
    expect((await logout(params)).location).toContain(`${pool.origin}/error?error=`);
  }
  const stolen = browser.cookies.get('cognito') ?? '';
  expect((await logout({ client_id: 'public', logout_uri: 'http://localhost:3000/bye' })).location).toBe(
    'http://localhost:3000/bye',
  );
  expect(browser.cookies.has('cognito')).toBe(false);
  browser.cookies.set('cognito', stolen);
  expect((await browser.get(pool.authorizeUrl({ prompt: 'none' }))).location).toContain('login_required');
  const again = await logout({ client_id: 'public', redirect_uri: CALLBACK, response_type: 'code', state: 's' });
  expect(again.location).toBe(
    `${pool.origin}/login?${new URLSearchParams({ client_id: 'public', redirect_uri: CALLBACK, response_type: 'code', state: 's' })}`,
  );
});

test('every page: no script, nothing fetched, not framed, not cached, and every value escaped', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  const evil = '"><script>alert(1)</script>';
  const params = { state: evil, login_hint: evil, user_name: evil, confirmation_code: evil };
  for (const path of ['/login', '/signup', '/confirmUser', '/forgotPassword', '/confirmForgotPassword', '/error']) {
    const query = path === '/error' ? { error: evil, client_id: evil } : params;
    const view = await browser.get(pool.authorizeUrl(query).replace('/oauth2/authorize', path));
    expect(view.html).not.toContain('<script');
    if (path !== '/error') expect(view.html).toMatch(/Public &lt;App&gt;|Confirm|password/);
    expect(view.html).toContain('for development');
    const policy = view.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; frame-ancestors 'none'$/);
    expect(view.headers.get('cache-control')).toBe('no-store');
    expect(view.headers.get('x-content-type-options')).toBe('nosniff');
    for (const [, id = ''] of view.html.matchAll(/<label for="([^"]+)"/g)) {
      expect(view.html, `a field for the label of ${id}`).toContain(
        `<input${id === 'code' ? ' class="code"' : ''} id="${id}"`,
      );
    }
  }
});

test('cookies are out of reach of scripts, and Secure on https', async () => {
  const pool = await startPool({ publicOrigin: 'https://login.example.com' });
  const response = await fetch(
    pool.authorizeUrl().replace(/^https:\/\/[^/]+\/oauth2\/authorize/, `http://127.0.0.1:${pool.port}/login`),
  );
  expect(response.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^XSRF-TOKEN=[\w.-]+; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure$/),
  ]);
});
