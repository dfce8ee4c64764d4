/** `/forgotPassword` and `/confirmForgotPassword`: a new password for a code that is printed to the log. */
import { forgotPasswordForm, newPasswordForm } from '../pages/forms.ts';
import { passwordFault } from '../password.ts';
import type { Pool } from '../pool.ts';
import { page, STALE_FORM, showForm, toPage } from './page-context.ts';
import { passwordRule } from './password-rule.ts';
import { codeFault, sendCode } from './sign-up.ts';

const FORGOT = { title: 'Forgot your password?', render: forgotPasswordForm };
const newPassword = (pool: Pool) => ({
  title: 'Set a new password',
  render: (context: Parameters<typeof newPasswordForm>[0]) => newPasswordForm(context, passwordRule(pool)),
});

export const showForgotPassword = page(async (pool, request, authorization) =>
  showForm(pool, request, authorization, FORGOT, { username: authorization.loginHint }),
);

export const submitForgotPassword = page(async (pool, request, authorization) => {
  const username = request.form.get('username') ?? '';
  const again = (status: number, error: string) =>
    showForm(pool, request, authorization, FORGOT, { status, error, username });
  if (!pool.csrf.accepts(request)) return again(STALE_FORM.status, STALE_FORM.error);
  if (username === '') return again(400, 'Enter your username or e-mail address.');
  const user = pool.users.findByLogin(username);
  // The same page whether or not there is such a user. Too many requests change nothing either: the last code stands.
  if (user?.confirmed) sendCode(pool, 'forgot-password', user);
  return toPage(pool, '/confirmForgotPassword', authorization, { user_name: username });
});

export const showNewPassword = page(async (pool, request, authorization) =>
  showForm(pool, request, authorization, newPassword(pool), { username: request.query.get('user_name') }),
);

export const submitNewPassword = page(async (pool, request, authorization) => {
  const { form } = request;
  const username = form.get('username') ?? '';
  const again = (status: number, error: string, code?: string) =>
    showForm(pool, request, authorization, newPassword(pool), { status, error, username, code });
  if (!pool.csrf.accepts(request)) return again(STALE_FORM.status, STALE_FORM.error, form.get('code'));
  const password = form.get('password') ?? '';
  const fault = passwordFault(password, pool.config.passwordPolicy);
  if (fault) return again(400, fault, form.get('code'));
  const user = pool.users.findByLogin(username);
  const outcome = pool.confirmationCodes.redeem('forgot-password', user?.sub ?? '', form.get('code') ?? '');
  if (!user || outcome !== 'right') return again(outcome === 'too many attempts' ? 429 : 400, codeFault(outcome));

  await pool.users.setPassword(user.sub, password);
  pool.sessions.endAllOf(user.sub);
  pool.lockout.reset(user.sub);
  pool.log({ event: 'user.password_changed', username: user.username, sub: user.sub });
  return toPage(pool, '/login', authorization, { notice: 'password_changed' });
});
