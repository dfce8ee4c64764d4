/** `/signup`, `/confirmUser` and `/resendcode`: a new account, confirmed with a code that is printed to the log. */
import type { CodeOutcome, CodePurpose } from '../attempts.ts';
import { confirmForm, signUpForm } from '../pages/forms.ts';
import { passwordFault } from '../password.ts';
import type { Pool } from '../pool.ts';
import type { User } from '../state/users.ts';
import { completeAuthorization, page, STALE_FORM, showForm, signedIn, toPage } from './page-context.ts';
import { passwordRule } from './password-rule.ts';

const CONFIRM = { title: 'Confirm your account', render: confirmForm };
const signUp = (pool: Pool) => ({
  title: 'Create an account',
  render: (context: Parameters<typeof signUpForm>[0]) => signUpForm(context, passwordRule(pool)),
});

export const showSignUp = page(async (pool, request, authorization) => {
  if (!pool.config.selfSignUp) return toPage(pool, '/login', authorization);
  return showForm(pool, request, authorization, signUp(pool));
});

export const submitSignUp = page(async (pool, request, authorization) => {
  const { form } = request;
  const byEmail = pool.config.usernameAttributes.includes('email');
  const username = byEmail ? undefined : (form.get('username') ?? '');
  const email = (form.get('email') ?? (byEmail ? form.get('username') : undefined) ?? '').trim();
  const password = form.get('password') ?? '';
  const again = (error: string, status = 400) =>
    showForm(pool, request, authorization, signUp(pool), { status, error, username, email });

  if (!pool.csrf.accepts(request)) return again(STALE_FORM.error, STALE_FORM.status);
  if (!pool.config.selfSignUp) return again('SignUp is not permitted for this user pool', 403);
  if (username !== undefined && !/^[^\s\p{C}]{1,128}$/u.test(username))
    return again('Choose a username without spaces.');
  if (username?.includes('@')) return again('Username cannot be of email format.');
  if (email.length > 254 || !/^[^\s@\p{C}]+@[^\s@\p{C}]+$/u.test(email)) return again('Invalid email address format.');
  const fault = passwordFault(password, pool.config.passwordPolicy);
  if (fault) return again(fault);
  const user = await pool.users.signUp({ username, email, password });
  if (!user) return again('An account with the given username or email already exists.');

  pool.log({ event: 'user.signed_up', username: user.username, sub: user.sub });
  sendCode(pool, 'sign-up', user);
  const { cookie } = pool.sessions.start(user.sub);
  return toPage(pool, '/confirmUser', authorization, { user_name: user.username }, [cookie]);
});

export const showConfirm = page(async (pool, request, authorization) => {
  const { query } = request;
  const notice = query.get('notice') === 'code_sent' ? 'A new code was printed to the log.' : undefined;
  const shown = { username: query.get('user_name'), code: query.get('confirmation_code'), notice };
  return showForm(pool, request, authorization, CONFIRM, shown);
});

export const submitConfirm = page(async (pool, request, authorization) => {
  const username = request.form.get('username') ?? '';
  const again = (error: string, status = 400) =>
    showForm(pool, request, authorization, CONFIRM, { status, error, username });
  if (!pool.csrf.accepts(request)) return again(STALE_FORM.error, STALE_FORM.status);
  const user = pool.users.findByLogin(username);
  const pending = user && !user.confirmed ? user.sub : '';
  const outcome = pool.confirmationCodes.redeem('sign-up', pending, request.form.get('code') ?? '');
  if (!user || outcome !== 'right') return again(codeFault(outcome), outcome === 'too many attempts' ? 429 : 400);

  await pool.users.confirm(user.sub);
  pool.log({ event: 'user.confirmed', username: user.username, sub: user.sub });
  // Whoever signed up in this very browser is signed in by it; elsewhere a code alone is no password.
  const present = signedIn(pool, request);
  if (present?.user.sub !== user.sub) return toPage(pool, '/login', authorization, { notice: 'confirmed' });
  pool.log({ event: 'user.signed_in', clientId: authorization.client.clientId, sub: user.sub });
  return completeAuthorization(pool, authorization, present);
});

export const resendCode = page(async (pool, request, authorization) => {
  const username = request.form.get('username') ?? '';
  if (!pool.csrf.accepts(request)) return showForm(pool, request, authorization, CONFIRM, { ...STALE_FORM, username });
  const user = pool.users.findByLogin(username);
  if (user && !user.confirmed && !sendCode(pool, 'sign-up', user)) {
    const error = 'Attempt limit exceeded, please try after some time.';
    return showForm(pool, request, authorization, CONFIRM, { status: 429, error, username });
  }
  return toPage(pool, '/confirmUser', authorization, { user_name: username, notice: 'code_sent' });
});

/** Makes a code and prints it, which is this pool's e-mail; false when too many were asked for. */
export function sendCode(pool: Pool, purpose: CodePurpose, user: User): boolean {
  const code = pool.confirmationCodes.create(purpose, user.sub);
  if (code === undefined) return false;
  pool.log({ event: 'confirmation_code.created', purpose, username: user.username, email: user.email, code });
  return true;
}

/** In Cognito's words. */
export function codeFault(outcome: CodeOutcome): string {
  if (outcome === 'too many attempts') return 'Attempt limit exceeded, please try after some time.';
  if (outcome === 'expired') return 'Invalid code provided, please request a code again.';
  return 'Invalid verification code provided, please try again.';
}
