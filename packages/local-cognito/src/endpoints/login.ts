/** `/login`: the managed login page. */
import { signInForm } from '../pages/forms.ts';
import { completeAuthorization, page, STALE_FORM, showForm, toPage } from './page-context.ts';
import { sendCode } from './sign-up.ts';

const FORM = { title: 'Sign in', render: signInForm };
const NOTICES = new Map([
  ['password_changed', 'Your password is changed. Sign in with the new one.'],
  ['confirmed', 'Your account is confirmed. Sign in to continue.'],
]);

export const showLogin = page(async (pool, request, authorization) => {
  const notice = NOTICES.get(request.query.get('notice') ?? '');
  return showForm(pool, request, authorization, FORM, { username: authorization.loginHint, notice });
});

export const submitLogin = page(async (pool, request, authorization) => {
  const username = request.form.get('username') ?? '';
  const refuse = (status: number, error: string, reason: string) => {
    pool.log({ event: 'user.sign_in_refused', clientId: authorization.client.clientId, reason });
    return showForm(pool, request, authorization, FORM, { status, error, username });
  };
  if (!pool.csrf.accepts(request)) return showForm(pool, request, authorization, FORM, { ...STALE_FORM, username });
  const user = pool.users.findByLogin(username);
  // One count for a user, whether named by username or by address.
  const outcome = await pool.lockout.attempt(user?.sub ?? username, () =>
    pool.users.passwordMatches(user, request.form.get('password') ?? ''),
  );
  if (outcome === 'locked out') {
    return refuse(429, 'Password attempts exceeded. Wait a moment and try again.', 'locked out');
  }
  if (!user || outcome === 'failed') {
    return refuse(400, 'Incorrect username or password.', user ? 'wrong password' : 'unknown user');
  }

  const { session, cookie } = pool.sessions.start(user.sub);
  if (!user.confirmed) {
    // Their session counts once they are confirmed; see signedIn().
    sendCode(pool, 'sign-up', user);
    return toPage(pool, '/confirmUser', authorization, { user_name: user.username }, [cookie]);
  }
  pool.log({ event: 'user.signed_in', clientId: authorization.client.clientId, sub: user.sub });
  return completeAuthorization(pool, authorization, { user, session }, [cookie]);
});
