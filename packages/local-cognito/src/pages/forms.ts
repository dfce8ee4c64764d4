/** The five forms of managed login: plain HTML that works from the keyboard, with a screen reader and without script. */
import { type Html, html } from './html.ts';

/** What every form knows. */
export interface FormContext {
  /** The authorization request as a query string; every link and form carries it on. */
  readonly query: string;
  readonly csrf: string;
  /** What the app calls itself. */
  readonly clientName: string;
  readonly error?: string | undefined;
  readonly notice?: string | undefined;
  /** What was typed, to be shown again; never a password. */
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly code?: string | undefined;
  /** The pool's users sign in with their e-mail address only. */
  readonly byEmail: boolean;
  readonly selfSignUp: boolean;
}

export function signInForm(context: FormContext): Html {
  const signUp = html`<p class="links">New here? <a href="/signup?${context.query}">Create an account</a></p>`;
  return html`<h1>Sign in</h1>
<p>to continue to <strong>${context.clientName}</strong></p>
${messages(context)}
<form method="post" action="/login?${context.query}">
${csrfField(context)}
${loginField(context)}
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="256"${focus(Boolean(context.username))}${invalid(context)}>
<button type="submit">Sign in</button>
</form>
<p class="links"><a href="/forgotPassword?${context.query}">Forgot your password?</a></p>
${context.selfSignUp && signUp}`;
}

export function signUpForm(context: FormContext, passwordRule: string): Html {
  const usernameField = html`<label for="username">Username</label>
<input id="username" name="username" autocomplete="username" required maxlength="128" autocapitalize="none" spellcheck="false" value="${context.username}"${focus(!context.username)}${invalid(context)}>`;
  return html`<h1>Create an account</h1>
<p>to continue to <strong>${context.clientName}</strong></p>
${messages(context)}
<form method="post" action="/signup?${context.query}">
${csrfField(context)}
${!context.byEmail && usernameField}
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="email" required maxlength="254" value="${context.email}"${focus(context.byEmail && !context.email)}${invalid(context)}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required maxlength="256" aria-describedby="password-rule"${invalid(context)}>
<small id="password-rule">${passwordRule}</small>
<button type="submit">Sign up</button>
</form>
${signInLink(context, 'Have an account already?')}`;
}

export function confirmForm(context: FormContext): Html {
  return html`<h1>Confirm your account</h1>
<p>A code is on its way to your e-mail address. In this local pool that means: it was printed to the log.</p>
${messages(context)}
<form method="post" action="/confirmUser?${context.query}">
${csrfField(context)}
${loginField(context)}
${codeField(context)}
<button type="submit">Confirm account</button>
</form>
<form method="post" action="/resendcode?${context.query}">
${csrfField(context)}
<input type="hidden" name="username" value="${context.username}">
<button class="quiet" type="submit">Send a new code</button>
</form>
${signInLink(context)}`;
}

export function forgotPasswordForm(context: FormContext): Html {
  return html`<h1>Forgot your password?</h1>
<p>Say who you are, and a code to set a new one is printed to the log.</p>
${messages(context)}
<form method="post" action="/forgotPassword?${context.query}">
${csrfField(context)}
${loginField(context)}
<button type="submit">Reset my password</button>
</form>
${signInLink(context)}`;
}

export function newPasswordForm(context: FormContext, passwordRule: string): Html {
  return html`<h1>Set a new password</h1>
<p>If there is such an account, its code was printed to the log.</p>
${messages(context)}
<form method="post" action="/confirmForgotPassword?${context.query}">
${csrfField(context)}
${loginField(context)}
${codeField(context)}
<label for="password">New password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required maxlength="256" aria-describedby="password-rule"${invalid(context)}>
<small id="password-rule">${passwordRule}</small>
<button type="submit">Change password</button>
</form>
${signInLink(context)}`;
}

function messages({ error, notice }: FormContext): Html {
  if (error) return html`<p class="message" role="alert" id="error">${error}</p>`;
  return notice ? html`<p class="message good" role="status">${notice}</p>` : html``;
}

function csrfField({ csrf }: FormContext): Html {
  return html`<input type="hidden" name="_csrf" value="${csrf}">`;
}

function loginField(context: FormContext): Html {
  return html`<label for="username">${context.byEmail ? 'E-mail address' : 'Username or e-mail address'}</label>
<input id="username" name="username" autocomplete="username" required maxlength="254" autocapitalize="none" spellcheck="false" value="${context.username}"${focus(!context.username)}${invalid(context)}>`;
}

function codeField(context: FormContext): Html {
  return html`<label for="code">Confirmation code</label>
<input class="code" id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="16" value="${context.code}"${focus(Boolean(context.username))}${invalid(context)}>`;
}

function signInLink({ query }: FormContext, question = ''): Html {
  return html`<p class="links">${question} <a href="/login?${query}">Sign in</a></p>`;
}

function invalid({ error }: FormContext): Html | false {
  return error !== undefined && html` aria-invalid="true" aria-describedby="error"`;
}

function focus(here: boolean): Html | false {
  return here && html` autofocus`;
}
